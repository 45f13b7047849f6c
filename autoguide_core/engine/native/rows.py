"""Grouping kernels that run over the same rows, so that large data are read once a step.

A logistic regression's step reads its design matrix twice: for the predictor, and for the gradient
of the coefficients. Both run row by row, and so does everything between; taken together, block by
block, they read it once.
"""

from __future__ import annotations

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
    for rows in sorted({r for k in kernels for r in _row_counts(k)}, reverse=True):
        kernels = _grouped(kernels, rows)
    for number, kernel in enumerate(kernels):
        for storage in writes(kernel):
            storage.kernel = number
    return replace(program, kernels=kernels)


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
    return [
        *before,
        RowGroup(rows, block, tuple(group.members), tuple(group.sums.items())),
        *after,
    ]


@dataclass
class _Group:
    """A group that grows.

    Attributes:
        rows: Its number of rows.
        members: Its kernels.
        written: What they write.
        by_rows: The part of it that a row's own turn writes for that row.
        sums: The part of it that is accumulated over rows, with the sign.
        bytes: Bytes of the operands that grow with the rows.
    """

    rows: int
    members: list[Loops | Product] = field(default_factory=list)
    written: set[Storage] = field(default_factory=set)
    by_rows: set[Storage] = field(default_factory=set)
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
        by_rows, sums = outcome
        assert isinstance(kernel, Loops | Product)
        self.members.append(kernel)
        self.written.update(writes(kernel))
        self.by_rows.update(by_rows)
        self.sums.update(sums)
        self.bytes += self._size(kernel)
        return True

    def _loops(self, kernel: Loops) -> tuple[set[Storage], dict[Storage, str]] | None:
        by_rows: set[Storage] = set()
        sums: dict[Storage, str] = {}
        for statement in kernel.body:
            for load in loads_of(statement):
                if load.storage in self.written and not self._is_own_row(load, kernel.domain):
                    return None
            if isinstance(statement, Compute):
                by_rows.add(statement.target)
            elif statement.sign == "=" and not statement.gathers:
                if self._stays_in_row(statement, kernel.domain):
                    by_rows.add(statement.target)
            elif statement.strides[0] == 0 and statement.sign != "=":
                if statement.gathers and statement.target.fill is None:
                    return None
                if statement.gathers and statement.target.size > self.rows:
                    return None
                sums[statement.target] = statement.sign
            elif not statement.gathers and self._stays_in_row(statement, kernel.domain):
                if any(stride == 0 for stride in statement.strides[: _kept(statement)]):
                    return None
                by_rows.add(statement.target)
            else:
                return None
        return by_rows, sums

    def _row_product(self, kernel: Product) -> tuple[set[Storage], dict[Storage, str]] | None:
        """Each row of the left matrix times the whole right one."""
        _, _, columns, inner = kernel.sizes
        if kernel.right.storage in self.written or (kernel.left.strides[2] != 1 and inner > 1):
            return None
        if kernel.left.storage in self.written and not self._has_rows(kernel.left, 1):
            return None
        if columns > 1 and kernel.right.strides[2] != 1:
            return None
        return {kernel.target}, {}

    def _sum_product(self, kernel: Product) -> tuple[set[Storage], dict[Storage, str]] | None:
        """The sum over rows of each row of one times the same row of the other."""
        for ref, dim in ((kernel.left, 2), (kernel.right, 1)):
            if ref.storage in self.written and not self._has_rows(ref, dim):
                return None
        return set(), {kernel.target: "+"}

    def _has_rows(self, ref: Ref, dim: int) -> bool:
        storage = ref.storage
        assert storage is not None
        return (
            storage in self.by_rows
            and ref.strides[dim] == storage.size // self.rows
            and ref.offset < storage.size // self.rows
        )

    def _is_own_row(self, load: Load, domain: tuple[int, ...]) -> bool:
        storage = load.storage
        width = storage.size // self.rows
        reach = load.offset + sum(
            (n - 1) * s for n, s in zip(domain[1:], load.strides[1:], strict=True)
        )
        return (
            storage in self.by_rows
            and not load.gathers
            and load.strides[0] == width
            and load.offset >= 0
            and reach < width
        )

    def _stays_in_row(self, write: Write, domain: tuple[int, ...]) -> bool:
        width = write.target.size // self.rows
        reach = write.offset + sum(
            (n - 1) * s for n, s in zip(domain[1:], write.strides[1:], strict=True)
        )
        return write.strides[0] == width and reach < width

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
