"""What must be true of a group of rows: its members take turns, a block of rows each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autoguide_core.engine.native.checks.elements import PassError, Walk
from autoguide_core.engine.native.program import (
    Compute,
    Loops,
    Product,
    Ref,
    RowGroup,
    Storage,
    Write,
    loads_of,
)

Refusal = Callable[[Storage | None, str], PassError]


@dataclass(frozen=True)
class Turn:
    """What the turn of a row reaches: elements ``step`` further on than that of the row before.

    Attributes:
        walk: The elements of the first row's turn.
        step: How much further.
        sign: How it writes; empty where it reads.
    """

    walk: Walk
    step: int
    sign: str = ""

    def keeps_to_rows(self, rows: int) -> bool:
        """Whether turns reach nothing but their own rows of a storage laid out by rows."""
        width, rest = divmod(self.walk.storage.size, rows)
        first, last = self.walk.bounds
        return rest == 0 and self.step == width and 0 <= first <= last < width


def check_group(group: RowGroup, refuse: Refusal) -> None:
    """Check that members only read what their own turn, or a kernel before the group, has written.

    Args:
        group: The group.
        refuse: Makes the error for a storage.

    Raises:
        PassError: A member reads a sum, or what the turn of another row writes; it writes
            what another turn writes too; or a sum is not one, or not merged.
    """
    sums, passing = dict(group.sums), set(group.passing)
    written: set[Storage] = set()
    across: set[Storage] = set()
    summed: set[Storage] = set()
    for member in group.members:
        for turn in _reads(member, group.rows, refuse):
            storage = turn.walk.storage
            if storage in sums:
                raise refuse(storage, "a sum over rows is read before it is complete")
            if storage in written and (storage in across or not turn.keeps_to_rows(group.rows)):
                raise refuse(storage, "the turn of a row reads what that of another writes")
        before = frozenset(written)
        for turn in _writes(member, group.rows):
            storage = turn.walk.storage
            if turn.sign != "=" and not turn.step:
                if sums.get(storage) != turn.sign:
                    raise refuse(storage, f"is summed over rows by {turn.sign}, and not merged so")
                if storage in summed or storage in written:
                    raise refuse(storage, "is summed over rows, and written otherwise as well")
                summed.add(storage)
                continue
            if storage in sums or not turn.step:
                raise refuse(storage, "the turns of all rows write the same elements")
            if not turn.keeps_to_rows(group.rows):
                if storage in passing:
                    raise refuse(storage, "the turn of a row writes outside of its block")
                across.add(storage)
            if storage in across and storage in before:
                raise refuse(storage, "what a member writes, the turn of another row writes over")
            written.add(storage)
    for storage in (*(s for s in sums if s not in summed), *(passing - written)):
        raise refuse(storage, "a place in the thread's block is for what no member writes")


def _reads(member: Loops | Product, rows: int, refuse: Refusal) -> Iterator[Turn]:
    if isinstance(member, Loops):
        if member.domain[:1] != (rows,):
            raise refuse(None, f"a member runs over {member.domain}, its group over {rows} rows")
        for statement in member.body:
            for load in loads_of(statement):
                yield Turn(Walk.of(load, member.domain, 1), load.strides[0])
        return
    _, count, _, inner = member.sizes
    if member.sizes[0] != 1 or rows not in (count, inner):
        raise refuse(member.target, f"a product of {member.sizes} in a group of {rows} rows")
    if count == rows:
        yield _turn(member.left, 1)
        yield _turn(member.right, None)
    else:
        yield _turn(member.left, 2)
        yield _turn(member.right, 1)


def _writes(member: Loops | Product, rows: int) -> Iterator[Turn]:
    if isinstance(member, Product):
        _, count, columns, _ = member.sizes
        if count == rows:
            yield Turn(Walk(member.target, (columns,), (1,), 0), columns, "=")
        else:
            yield Turn(Walk.whole(member.target), 0, "+")
        return
    for statement in member.body:
        if isinstance(statement, Write):
            yield Turn(Walk.of(statement, member.domain, 1), statement.strides[0], statement.sign)
        else:
            assert isinstance(statement, Compute)
            width = statement.target.size // rows
            yield Turn(Walk(statement.target, (width,), (1,), 0), width, "=")


def _turn(ref: Ref, dim: int | None) -> Turn:
    """A matrix that is gone through along a dimension, or read whole in each turn."""
    if dim is None:
        return Turn(Walk.of_ref(ref), 0)
    rest = [(n, s) for d, (n, s) in enumerate(zip(ref.shape, ref.strides, strict=True)) if d != dim]
    assert ref.storage is not None
    sizes, strides = tuple(n for n, _ in rest), tuple(s for _, s in rest)
    return Turn(Walk(ref.storage, sizes, strides, ref.offset), ref.strides[dim])
