"""Grouping kernels that run over the same rows, so that large data are read once a step.

A logistic regression's step reads its design matrix twice: for the predictor, and for the gradient
of the coefficients. Both run row by row, and so does everything between; taken together, block by
block, they read it once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from autoguide_core.engine.native.program import (
    Compute,
    Kernel,
    Load,
    Loops,
    Product,
    Program,
    Ref,
    RowGroup,
    Storage,
    Write,
    loads_of,
    reads,
    writes,
)

_WORTH_IT = 2**19
"""Bytes of operands above which kernels are grouped: half of a usual second-level cache."""

_BLOCK = 2**17
"""Bytes of operands that a block of rows has."""

_FEWEST_ROWS, _MOST_ROWS = 32, 4096


def group_rows(program: Program) -> Program:
    """Group the kernels that run over the same rows; the order of the others may change.

    Args:
        program: The program.

    Returns:
        The same program, with groups in the place of their members. The numbers of the kernels in
        its storages are those of the new order.
    """
    kernels = list(program.kernels)
    for rows in sorted({r for k in kernels for r in _row_counts(k) if r > 1}, reverse=True):
        kernels = _grouped(kernels, rows)
    for number, kernel in enumerate(kernels):
        for storage in writes(kernel):
            storage.kernel = number
    return replace(program, kernels=_with_passing(kernels, program.results))


def _with_passing(kernels: Sequence[Kernel], results: Sequence[Ref]) -> list[Kernel]:
    """Leave to each group what it has to itself, of what it writes row by row."""
    users = Counter(s for kernel in kernels for s in {*reads(kernel), *writes(kernel)})
    users.update(ref.storage for ref in results if ref.storage is not None)
    return [
        replace(kernel, passing=tuple(s for s in kernel.passing if s.stored and users[s] == 1))
        if isinstance(kernel, RowGroup)
        else kernel
        for kernel in kernels
    ]


def _row_counts(kernel: Kernel) -> Iterator[int]:
    """The numbers of rows that a kernel can be taken apart into."""
    match kernel:
        case Loops(domain) if domain:
            yield domain[0]
        case Product(sizes=(1, rows, _, inner)):
            yield rows
            yield inner


def _grouped(kernels: Sequence[Kernel], rows: int) -> list[Kernel]:
    """Find one group of kernels over ``rows`` rows; all if it is not worth it."""
    group = _Group(rows)
    before: list[Kernel] = []
    after: list[Kernel] = []
    late: set[Storage] = set()  # what is written after the group
    for kernel in kernels:
        touched = {*reads(kernel), *writes(kernel)}
        if not touched & late and group.take(kernel):
            continue
        if touched & (group.written | late):
            after.append(kernel)
            late.update(writes(kernel))
        else:
            before.append(kernel)
    if group.bytes < _WORTH_IT or not group.members:
        return list(kernels)
    block = min(max(_BLOCK * rows // group.bytes, _FEWEST_ROWS), _MOST_ROWS)
    members, sums = tuple(group.members), tuple(group.sums.items())
    return [*before, RowGroup(rows, block, members, sums, tuple(group.by_rows)), *after]


@dataclass
class _Outcome:
    """What a kernel writes that can be taken into a group; the parts are those of `_Group`."""

    by_rows: list[Storage] = field(default_factory=list)
    across: list[Storage] = field(default_factory=list)
    sums: dict[Storage, str] = field(default_factory=dict)


@dataclass
class _Group:
    """A group that grows.

    Attributes:
        rows: Its number of rows.
        members: Its kernels.
        written: What they write.
        by_rows: The part of it of which a row's own turn writes that row, and only that; in order.
        across: The part of it of which a turn writes something else.
        sums: The part of it that is accumulated over rows, with the sign.
        bytes: Bytes of the operands that grow with the rows.
    """

    rows: int
    members: list[Loops | Product] = field(default_factory=list)
    written: set[Storage] = field(default_factory=set)
    by_rows: dict[Storage, None] = field(default_factory=dict)
    across: set[Storage] = field(default_factory=set)
    sums: dict[Storage, str] = field(default_factory=dict)
    bytes: int = 0

    def take(self, kernel: Kernel) -> bool:
        """Take a kernel in if it can run row by row; whether it can."""
        match kernel:
            case Loops(domain) if domain and domain[0] == self.rows:
                outcome = self._loops(kernel)
            case Product(sizes=(1, self.rows, _, _)):
                outcome = self._row_product(kernel)
            case Product(sizes=(1, _, _, self.rows)):
                outcome = self._sum_product(kernel)
            case _:
                return False
        if outcome is None:
            return False
        assert isinstance(kernel, Loops | Product)
        self.members.append(kernel)
        self.written.update(writes(kernel))
        self.across.update(outcome.across)
        self.by_rows.update(dict.fromkeys(outcome.by_rows))
        for storage in self.across:
            self.by_rows.pop(storage, None)
        self.sums.update(outcome.sums)
        self.bytes += self._size(kernel)
        return True

    def _loops(self, kernel: Loops) -> _Outcome | None:
        outcome = _Outcome()
        for statement in kernel.body:
            for load in loads_of(statement):
                if load.storage in self.written and not self._is_own_row(load, kernel.domain):
                    return None
            target = statement.target
            if isinstance(statement, Compute):
                outcome.by_rows.append(target)
            elif statement.sign == "=" and not statement.gathers:
                in_row = self._stays_in_row(statement, kernel.domain)
                if target in self.written and (target in self.across or not in_row):
                    return None  # the turn of one row would write over what another's has written
                (outcome.by_rows if in_row else outcome.across).append(target)
            elif statement.strides[0] == 0 and statement.sign != "=":
                if statement.gathers and (target.fill is None or target.size > self.rows):
                    return None
                if target in self.written:
                    return None
                outcome.sums[target] = statement.sign
            elif not statement.gathers and self._stays_in_row(statement, kernel.domain):
                if any(stride == 0 for stride in statement.strides[: _kept(statement)]):
                    return None
                outcome.by_rows.append(target)
            else:
                return None
        return outcome

    def _row_product(self, kernel: Product) -> _Outcome | None:
        """Each row of the left matrix times the whole right one."""
        _, _, columns, inner = kernel.sizes
        if kernel.right.storage in self.written or (kernel.left.strides[2] != 1 and inner > 1):
            return None
        if kernel.left.storage in self.written and not self._has_rows(kernel.left, 1):
            return None
        if columns > 1 and kernel.right.strides[2] != 1:
            return None
        return _Outcome([kernel.target])

    def _sum_product(self, kernel: Product) -> _Outcome | None:
        """The sum over rows of each row of one times the same row of the other."""
        for ref, dim in ((kernel.left, 2), (kernel.right, 1)):
            if ref.storage in self.written and not self._has_rows(ref, dim):
                return None
        return _Outcome(sums={kernel.target: "+"})

    def _has_rows(self, ref: Ref, dim: int) -> bool:
        """Whether a matrix holds, along a dimension, what each row's own turn has written."""
        assert ref.storage is not None
        within = [stride for d, stride in enumerate(ref.strides) if d != dim]
        sizes = [size for d, size in enumerate(ref.shape) if d != dim]
        return ref.storage in self.by_rows and self._keeps_to_rows(
            ref.storage, ref.strides[dim], ref.offset, sizes, within
        )

    def _is_own_row(self, load: Load, domain: tuple[int, ...]) -> bool:
        return (
            load.storage in self.by_rows
            and not load.gathers
            and self._keeps_to_rows(
                load.storage, load.strides[0], load.offset, domain[1:], load.strides[1:]
            )
        )

    def _stays_in_row(self, write: Write, domain: tuple[int, ...]) -> bool:
        strides = write.strides
        return self._keeps_to_rows(write.target, strides[0], write.offset, domain[1:], strides[1:])

    def _keeps_to_rows(
        self,
        storage: Storage,
        step: int,
        offset: int,
        sizes: Sequence[int],
        strides: Sequence[int],
    ) -> bool:
        """Whether a walk of ``step`` elements a row stays, in each, within that row's elements."""
        width, rest = divmod(storage.size, self.rows)
        ends = [(size - 1) * stride for size, stride in zip(sizes, strides, strict=True)]
        first, last = (offset + sum(limit(0, end) for end in ends) for limit in (min, max))
        return rest == 0 and step == width and 0 <= first <= last < width

    def _size(self, kernel: Loops | Product) -> int:
        """Bytes of what is walked through row by row."""
        match kernel:
            case Product(sizes=(_, rows, columns, inner)):
                item = kernel.target.dtype.itemsize
                return int(item * (rows * inner if rows == self.rows else inner * (rows + columns)))
            case Loops():
                stored = [
                    s.target for s in kernel.body if isinstance(s, Compute) and s.target.stored
                ]
                read = {
                    load.storage for s in kernel.body for load in loads_of(s) if load.strides[0]
                }
                return sum(s.size * s.dtype.itemsize for s in {*stored, *read})


def _kept(write: Write) -> int:
    """The loops down to the last that the place depends on."""
    return 1 + max((d for d, stride in enumerate(write.strides) if stride), default=-1)
