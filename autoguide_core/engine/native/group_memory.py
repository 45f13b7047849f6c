"""Where the members of one group of rows find storages: in a block of their thread, or elsewhere.

A thread has its own share of the sums, and of what passes from member to member a block of rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoguide_core.engine.native.loops import accumulate, start_of
from autoguide_core.engine.native.memory import Memory, aligned, number_source
from autoguide_core.engine.native.operations import MEMORY_TYPES
from autoguide_core.engine.native.program import Ref, RowGroup, Storage


class GroupMemory:
    """The places of storages as seen by the members of a group.

    Args:
        group: The group.
        memory: The places outside of it.

    Attributes:
        bytes: Size of a thread's block.
        own: What lies in it: the byte where a storage begins, and its number of elements there.
    """

    def __init__(self, group: RowGroup, memory: Memory) -> None:
        self._group = group
        self._memory = memory
        self.own: dict[Storage, tuple[int, int]] = {}
        self.bytes = 0
        for storage, _ in group.sums:
            self._add(storage, storage.size)
        for storage in group.passing:
            self._add(storage, group.block * group.width(storage))

    def _add(self, storage: Storage, size: int) -> None:
        self.own[storage] = self.bytes, size
        self.bytes += aligned(size * storage.dtype.itemsize)

    def place(self, storage: Storage) -> Storage:
        """The storage whose memory this one uses: another's, or its own."""
        return self._memory.place(storage)

    def pointer(self, storage: Storage) -> str:
        """The address of the first element; what passes is addressed by the rows of all blocks."""
        if storage not in self.own:
            return self._memory.pointer(storage)
        passes = storage in self._group.passing
        back = f" - begin * {self._group.width(storage)}" if passes else ""
        return self._own_pointer(storage) + back

    def base(self, ref: Ref) -> str:
        """The address of a tensor's first element."""
        assert ref.storage is not None
        return f"{self.pointer(ref.storage)} + {ref.offset}"

    def _own_pointer(self, storage: Storage) -> str:
        kind = MEMORY_TYPES[storage.dtype]
        return f"reinterpret_cast<{kind}*>(f.own + {self.own[storage][0]})"

    def start_lines(self) -> Iterator[str]:
        """What is done once, before there are threads: the sums get what they start from."""
        for storage, sign in self._group.sums:
            kind = MEMORY_TYPES[storage.dtype]
            fill = storage.fill
            first = start_of(sign, kind) if fill is None else number_source(fill, kind)
            yield f"{_each(storage.size)} ({self._memory.pointer(storage)})[i] = {first};"

    def own_start_lines(self) -> Iterator[str]:
        """What each thread does first: its sums are empty, its block is filled."""
        for storage, sign in self._group.sums:
            start = start_of(sign, MEMORY_TYPES[storage.dtype])
            yield f"{_each(storage.size)} ({self._own_pointer(storage)})[i] = {start};"
        for storage in self._group.passing:
            if storage.fill is not None:
                value = number_source(storage.fill, MEMORY_TYPES[storage.dtype])
                size = self.own[storage][1]
                yield f"{_each(size)} ({self._own_pointer(storage)})[i] = {value};"

    def merge_lines(self) -> Iterator[str]:
        """What each thread does last: it adds its sums to those of all."""
        for storage, sign in self._group.sums:
            whole, own = f"({self._memory.pointer(storage)})", f"({self._own_pointer(storage)})"
            yield f"{_each(storage.size)} {accumulate(sign, f'{whole}[i]', f'{own}[i]')}"


def _each(size: int) -> str:
    return f"for (int64_t i = 0; i < {size}; ++i)"
