"""Where the storages of a program lie: given by the caller, or at a place in one scratch block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

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
)

_ALIGNMENT = 64
"""Bytes of a cache line, and of the widest vector register."""


class Places(Protocol):
    """Where a kernel finds storages; what it finds there depends on the scope that it runs in."""

    def place(self, storage: Storage) -> Storage:
        """The storage whose memory this one uses: another's, or its own."""
        ...

    def pointer(self, storage: Storage) -> str:
        """A C++ expression for the address of the first element."""
        ...

    def base(self, ref: Ref) -> str:
        """A C++ expression for the address of a tensor's first element."""
        ...


class Memory:
    """The places of a program's storages, as kernels see them that run on their own.

    The new value of a state tensor is written over the old one where nothing reads the old one
    any more. What members of a group of rows find elsewhere is in :class:`GroupMemory`.

    Args:
        program: The program.

    Attributes:
        bytes: Size of the scratch block.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._aliases = _written_in_place(program)
        self._offsets: dict[Storage, int] = {}
        self.bytes = 0
        groups = [kernel for kernel in program.kernels if isinstance(kernel, RowGroup)]
        elsewhere = {*self._aliases, *(storage for group in groups for storage in group.passing)}
        for storage in program.storages:
            if storage.role == "scratch" and storage.stored and storage not in elsewhere:
                self._offsets[storage] = self.bytes
                self.bytes += aligned(storage.size * storage.dtype.itemsize)

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

    def base(self, ref: Ref) -> str:
        """A C++ expression for the address of a tensor's first element."""
        assert ref.storage is not None
        return f"{self.pointer(ref.storage)} + {ref.offset}"

    def element(self, ref: Ref, index: str) -> str:
        """A C++ expression for an element of a tensor; ``index`` leaves out the offset."""
        if ref.storage is None:
            assert ref.literal is not None
            return number_source(ref.literal, MEMORY_TYPES[ref.dtype])
        return f"({self.pointer(ref.storage)})[{ref.offset} + {index}]"

    def frame_source(self) -> str:
        """The struct that holds what comes from outside."""
        members = [f"  {_member_type(s)} {s.name};" for s in self._given()]
        own = ["  char* scratch;", "  char* own;", "  int32_t threads;", "  int32_t* problem;"]
        return "\n".join(["struct Frame {", *own, *members, "};"])

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

    def scattered(self) -> list[Storage]:
        """What kernels fill themselves, as they write it in another part at each step."""
        return [
            statement.target
            for kernel in self._program.kernels
            for loops in _all_loops(kernel)
            for statement in loops.body
            if isinstance(statement, Write) and (statement.gathers or statement.sign != "=")
        ]

    def filled(self) -> list[Storage]:
        """What is filled once, as it is written in the same part at each step."""
        scattered = set(self.scattered())
        return [s for s in self._offsets if s.fill is not None and s not in scattered]

    def fill_lines(self) -> Iterator[str]:
        """Fill what is filled once."""
        for storage in self.filled():
            assert storage.fill is not None
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


def _all_loops(kernel: Kernel) -> Iterator[Loops]:
    members = kernel.members if isinstance(kernel, RowGroup) else (kernel,)
    yield from (member for member in members if isinstance(member, Loops))


def aligned(size: int) -> int:
    """A number of bytes, rounded up to where something else may begin."""
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
