"""What must be true of the places of a program's storages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from autoguide_core.engine.native.checks.elements import PassError
from autoguide_core.engine.native.group_memory import GroupMemory
from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.program import (
    Loops,
    Program,
    RowGroup,
    Storage,
    dense_strides,
    loads_of,
    reads,
    writes,
)


def check_memory(program: Program, memory: Memory) -> None:
    """Check where storages lie.

    Args:
        program: The program, which has been checked.
        memory: The places.

    Raises:
        PassError: Two storages overlap, or one has no place, or more than one; a new value is
            written over an old one that is still read; or what is to be filled never is.
    """
    offsets, groups = memory.offsets(), [k for k in program.kernels if isinstance(k, RowGroup)]
    sizes = {s: (start, s.size * s.dtype.itemsize) for s, start in offsets.items()}
    _check_apart("the scratch block", sizes, memory.bytes)
    passing = Counter(storage for group in groups for storage in group.passing)
    for storage in program.storages:
        place = memory.place(storage)
        places = (storage in offsets) + passing[storage] + (place is not storage)
        wanted = storage.role == "scratch" and storage.stored
        if places != wanted:
            raise PassError("memory", storage, f"has {places} places instead of {wanted:d}")
        if place is not storage:
            _check_written_over(program, place, storage)
    for group in groups:
        own = GroupMemory(group, memory)
        needed = {s: s.size for s, _ in group.sums} | {
            s: group.block * s.size // group.rows for s in group.passing
        }
        if {s: size for s, (_, size) in own.own.items()} != needed:
            raise PassError("the block of a thread", None, "has other places than are needed")
        sizes = {s: (start, n * s.dtype.itemsize) for s, (start, n) in own.own.items()}
        _check_apart("the block of a thread", sizes, own.bytes)
    _check_fills(program, memory, groups)


def _check_apart(block: str, places: Mapping[Storage, tuple[int, int]], size: int) -> None:
    """Check that storages lie in a block one after the other, and can be addressed there."""
    end = 0
    for storage, (start, length) in sorted(places.items(), key=lambda item: item[1]):
        if start < end or start % storage.dtype.itemsize:
            raise PassError(block, storage, f"begins at byte {start}, in the one before it")
        end = start + length
        if end > size:
            raise PassError(block, storage, f"ends at byte {end} of {size}")


def _check_written_over(program: Program, old: Storage, new: Storage) -> None:
    """Check that the new value of a tensor of the state may lie where the old one does."""

    def refuse(fault: str) -> PassError:
        return PassError(f"memory, {new.name} is written over", old, fault)

    if old.role != "state" or (old.dtype, old.size) != (new.dtype, new.size):
        raise refuse("is no tensor of the state like it")
    at = program.of_role("state").index(old)
    result = program.results[at]
    if result.storage is not new or (result.offset, result.strides) != (
        0,
        dense_strides(result.shape),
    ):
        raise refuse("is not the old value of it")
    if any(ref.storage is old for ref in program.results):
        raise refuse("is a result too")
    began = next(n for n, kernel in enumerate(program.kernels) if new in set(writes(kernel)))
    for kernel in program.kernels[began:]:
        if old not in set(reads(kernel)):
            continue
        if kernel is not program.kernels[began] or not isinstance(kernel, Loops):
            raise refuse("is read later")
        dense = dense_strides(kernel.domain)
        for load in (load for s in kernel.body for load in loads_of(s) if load.storage is old):
            if load.gathers or load.offset or load.strides != dense:
                raise refuse("is read in another order")


def _check_fills(program: Program, memory: Memory, groups: list[RowGroup]) -> None:
    """Check that what is to hold a number wherever no kernel writes is filled, and in one way.

    At the start of a run where the same part is written in each step; by its kernel in each step
    where that part depends on numbers; by each thread where rows pass.
    """
    by_threads = {s for group in groups for s in (*group.passing, *(t for t, _ in group.sums))}
    at_start, by_kernels = set(memory.filled()), Counter(memory.scattered())
    for storage in program.storages:
        if storage.fill is not None and storage.stored:
            ways = (
                (storage in at_start)
                + (storage in by_threads)
                + by_kernels[storage] * (storage not in by_threads)
            )
            if ways != 1:
                raise PassError("memory", storage, f"is filled in {ways} ways")
