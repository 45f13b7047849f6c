"""Where the storages of a program lie: given by the caller, or at a place in one scratch block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoguide_core.engine.native.operations import MEMORY_TYPES
from autoguide_core.engine.native.program import (
    Kernel,
    Loops,
    Number,
    Program,
    Ref,
    RowGroup,
    Storage,
    Write,
    dense_strides,
    loads_of,
    reads,
    writes,
)

_ALIGNMENT = 64
"""Bytes of a cache line, and of the widest vector register."""


class Memory:
    """The places of a program's storages.

    The new value of a state tensor is written over the old one where nothing reads the old one
    any more.

    Args:
        program: The program.

    Attributes:
        bytes: Size of the scratch block.
        own_bytes: Size of the block that each thread has for itself, by group of rows.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._aliases = _written_in_place(program)
        self._offsets: dict[Storage, int] = {}
        self._own: dict[Storage, tuple[int, int]] = {}
        self.own_bytes: dict[int, int] = {}
        self.bytes = 0
        passing = _passing(program)
        for number, kernel in enumerate(program.kernels):
            if isinstance(kernel, RowGroup):
                self._lay_out_group(number, kernel, passing)
        for storage in program.storages:
            if storage.role != "scratch" or not storage.stored or storage in self._aliases:
                continue
            if storage not in passing:
                self._offsets[storage] = self.bytes
                self.bytes += _aligned(storage.size * storage.dtype.itemsize)

    def _lay_out_group(self, number: int, group: RowGroup, passing: set[Storage]) -> None:
        """Give each thread memory for its share of the sums, and for a block of passing values."""
        end = 0
        for storage, _ in group.sums:
            self._own[storage] = (end, 0)
            end += _aligned(storage.size * storage.dtype.itemsize)
        for storage in dict.fromkeys(writes(group)):
            if storage in passing:
                width = storage.size // group.rows
                self._own[storage] = (end, width)
                end += _aligned(group.block * width * storage.dtype.itemsize)
        self.own_bytes[number] = end

    def own_pointer(self, storage: Storage) -> str:
        """The address of the first element, seen from a member of a group of rows."""
        if storage not in self._own:
            return self.pointer(storage)
        offset, width = self._own[storage]
        back = f" - begin * {width}" if width else ""
        return f"reinterpret_cast<{MEMORY_TYPES[storage.dtype]}*>(f.own + {offset}){back}"

    def place(self, storage: Storage) -> Storage:
        """The storage whose memory this one uses: another's, or its own."""
        return self._aliases.get(storage, storage)

    def offsets(self) -> dict[Storage, int]:
        """What lies in the scratch block, with the bytes from its start."""
        return dict(self._offsets)

    def pointer(self, storage: Storage) -> str:
        """A C++ expression for the address of the first element."""
        storage = self.place(storage)
        if storage.role == "scratch":
            kind = MEMORY_TYPES[storage.dtype]
            return f"reinterpret_cast<{kind}*>(f.scratch + {self._offsets[storage]})"
        return f"f.{storage.name}"

    def base(self, ref: Ref, *, own: bool = False) -> str:
        """The address of a tensor's first element; ``own`` as seen from a member of a group."""
        assert ref.storage is not None
        place = self.own_pointer if own else self.pointer
        return f"{place(ref.storage)} + {ref.offset}"

    def element(self, ref: Ref, index: str) -> str:
        """A C++ expression for an element of a tensor; ``index`` leaves out the offset."""
        if ref.storage is None:
            assert ref.literal is not None
            return number_source(ref.literal, MEMORY_TYPES[ref.dtype])
        return f"({self.pointer(ref.storage)})[{ref.offset} + {index}]"

    def frame_source(self) -> str:
        """The struct that holds what comes from outside."""
        members = [f"  {_member_type(s)} {s.name};" for s in self._given()]
        own = ["  char* own;", "  int32_t threads;"]
        return "\n".join(["struct Frame {", "  char* scratch;", *own, *members, "};"])

    def given_source(self) -> str:
        """The struct's values, out of the arguments of the entry point."""
        counts = {"state": 0, "noise": 0, "constant": 0}
        values = []
        for storage in self._given():
            kind = _member_type(storage)
            if storage.role == "row":
                values.append(f"static_cast<{kind}>(rows)")
                continue
            array = "constants" if storage.role == "constant" else storage.role
            values.append(f"static_cast<{kind}>({array}[{counts[storage.role]}])")
            counts[storage.role] += 1
        return ", ".join(values)

    def advance_lines(self) -> Iterator[str]:
        """From the noise and numbers of one step to those of the next."""
        for storage in self._given():
            if storage.role in ("noise", "row"):
                yield f"f.{storage.name} += {storage.size};"

    def fill_lines(self) -> Iterator[str]:
        """Fill, once, what is written in the same part at each step."""
        scattered = {
            statement.target
            for kernel in self._program.kernels
            for loops in _all_loops(kernel)
            for statement in loops.body
            if isinstance(statement, Write) and (statement.gathers or statement.sign != "=")
        }
        for storage in self._offsets:
            if storage.fill is not None and storage not in scattered:
                yield fill_line(self.pointer(storage), storage, storage.fill)

    def _given(self) -> list[Storage]:
        return [s for s in self._program.storages if s.role != "scratch"]


def element_at(name: str, ref: Ref, indices: Sequence[str]) -> str:
    """An element of a tensor whose first one ``name`` points to, at C++ expressions."""
    terms = [f"{i} * {s}" for i, s in zip(indices, ref.strides, strict=True) if s]
    return f"{name}[{' + '.join(terms) or '0'}]"


def fill_line(pointer: str, storage: Storage, value: Number) -> str:
    """A loop that fills a storage."""
    number = number_source(value, MEMORY_TYPES[storage.dtype])
    return f"for (int64_t i = 0; i < {storage.size}; ++i) ({pointer})[i] = {number};"


def number_source(value: Number, kind: str) -> str:
    """A C++ literal."""
    if isinstance(value, bool) or kind == "bool":
        return f"{kind}({'1' if value else '0'})"
    if isinstance(value, float):
        if value != value:
            return f"std::numeric_limits<{kind}>::quiet_NaN()"
        if value in (float("inf"), float("-inf")):
            return f"{'-' if value < 0 else ''}std::numeric_limits<{kind}>::infinity()"
    return f"{kind}({value!r})"


def _member_type(storage: Storage) -> str:
    constant = "" if storage.role == "state" else "const "
    return f"{constant}{MEMORY_TYPES[storage.dtype]}*"


def _written_in_place(program: Program) -> dict[Storage, Storage]:
    """Which scratch storages may lie where a state tensor lies: new value to old one."""
    last_read = _last_reads(program)
    aliases: dict[Storage, Storage] = {}
    for old, new in zip(program.of_role("state"), program.results, strict=False):
        storage = new.storage
        if (
            storage is not None
            and storage.role == "scratch"
            and storage.local
            and storage not in aliases
            and (storage.dtype, storage.size) == (old.dtype, old.size)
            and (new.offset, new.strides) == (0, dense_strides(new.shape))
            and last_read.get(old, -1) <= storage.kernel
        ):
            aliases[storage] = old
    return aliases


def _passing(program: Program) -> set[Storage]:
    """What a group of rows computes row by row, and nothing outside of the group reads."""
    inside: set[Storage] = set()
    outside = {ref.storage for ref in program.results}
    for kernel in program.kernels:
        if isinstance(kernel, RowGroup):
            sums = {storage for storage, _ in kernel.sums}
            inside |= {storage for storage in writes(kernel) if storage.size % kernel.rows == 0}
            outside |= sums
            outside |= {storage for storage in reads(kernel) if storage not in set(writes(kernel))}
        else:
            outside |= {*reads(kernel), *writes(kernel)}
    return inside - outside


def _all_loops(kernel: Kernel) -> Iterator[Loops]:
    members = kernel.members if isinstance(kernel, RowGroup) else (kernel,)
    yield from (member for member in members if isinstance(member, Loops))


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _last_reads(program: Program) -> dict[Storage, float]:
    """The last kernel that reads each storage; half a kernel later where it reads out of order."""
    last: dict[Storage, float] = {}

    def read(storage: Storage | None, when: float) -> None:
        if storage is not None:
            last[storage] = max(last.get(storage, -1.0), when)

    for number, kernel in enumerate(program.kernels):
        if not isinstance(kernel, Loops):
            for storage in reads(kernel):
                read(storage, number + 0.5)
            continue
        for statement in kernel.body:
            for load in loads_of(statement):
                in_order = (
                    not load.gathers
                    and load.offset == 0
                    and load.strides == dense_strides(kernel.domain)
                )
                read(load.storage, number if in_order else number + 0.5)
    for ref in program.results:
        if ref.storage is not None and ref.storage.role == "state":
            read(ref.storage, len(program.kernels))
    return last
