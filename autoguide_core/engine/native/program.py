"""The program that a graph is lowered to: storages, and kernels that run one after another.

Every value that the graph computes has a storage of its own, written once a step, laid out densely
in row-major order. A kernel is a nest of loops with a few statements in its body, or a matrix
product, or an operation that torch runs. What one kernel computes and only the same kernel reads,
at the same place of the loops, stays in a register and its storage is never touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch

Number = float | int | bool
Role = Literal["state", "noise", "row", "constant", "scratch"]


@dataclass(eq=False)
class Storage:
    """Where the elements of a tensor lie.

    Attributes:
        name: Its name in the C++ source.
        dtype: The type of its elements.
        size: Their number.
        role: Who owns it: ``state``, ``noise``, ``row`` and ``constant`` come from outside.
        kernel: The last kernel that writes it; -1 for what comes from outside.
        local: Whether its kernel computes it element by element in the order of its loops.
        stored: Whether anything reads it from memory.
        fill: The number that it holds wherever no kernel writes, if any.
    """

    name: str
    dtype: torch.dtype
    size: int
    role: Role = "scratch"
    kernel: int = -1
    local: bool = False
    stored: bool = False
    fill: Number | None = None


@dataclass(frozen=True)
class Ref:
    """A tensor: a storage and how to walk through it, or one number in a shape.

    Attributes:
        shape: The tensor's shape.
        dtype: The type of its elements.
        storage: Where they lie; None where all are equal to ``literal``.
        strides: Elements between neighbours, a number per dimension.
        offset: Place of the first element.
        literal: The number, where there is no storage.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    storage: Storage | None = None
    strides: tuple[int, ...] = ()
    offset: int = 0
    literal: Number | None = None

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def over(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Strides of the tensor broadcast to ``shape``, dimensions of size 1 left out."""
        lead = len(shape) - len(self.shape)
        strides = []
        for d, size in enumerate(shape):
            if size != 1:
                own = d >= lead and self.shape[d - lead] != 1
                strides.append(self.strides[d - lead] if own else 0)
        return tuple(strides)


@dataclass(frozen=True)
class Gather:
    """A part of an address that is read from an index tensor: ``stride * index``."""

    index: Operand
    stride: int
    size: int


@dataclass(frozen=True)
class Load:
    """An element of a storage, at a place that follows from the loops and from indices."""

    storage: Storage
    strides: tuple[int, ...]
    offset: int
    gathers: tuple[Gather, ...] = ()


@dataclass(frozen=True)
class Register:
    """The element that a statement of the same kernel has just computed."""

    storage: Storage


@dataclass(frozen=True)
class Constant:
    """A number."""

    value: Number


Operand = Load | Register | Constant


@dataclass(frozen=True)
class Compute:
    """``target = expression(operands)``, elementwise over the loops.

    Attributes:
        target: The result's storage.
        expression: A row's expression of the table of elementwise operations.
        operands: What takes the place of ``{0}``, ``{1}``, …
        types: The type that each operand is cast to first.
    """

    target: Storage
    expression: str
    operands: tuple[Operand, ...]
    types: tuple[torch.dtype, ...]


@dataclass(frozen=True)
class Write:
    """Write or accumulate an operand into memory, at a place that follows from the loops.

    Attributes:
        target: The storage.
        strides: Elements between neighbours for each loop; 0 for a loop that is summed over.
        offset: Place of the first element.
        sign: ``=`` to write; ``+``, ``*``, ``max``, ``min``, ``&&``, ``||`` to accumulate.
        operand: What to write.
        gathers: Parts of the place that are read from index tensors.
    """

    target: Storage
    strides: tuple[int, ...]
    offset: int
    sign: str
    operand: Operand
    gathers: tuple[Gather, ...] = ()


Statement = Compute | Write


@dataclass
class Loops:
    """Nested loops over ``domain`` with statements in the innermost."""

    domain: tuple[int, ...]
    body: list[Statement] = field(default_factory=list)


@dataclass(frozen=True)
class Product:
    """A batch of matrix products: ``out[b, m, n] = sum over k of left[b, m, k] right[b, k, n]``."""

    target: Storage
    left: Ref
    right: Ref
    sizes: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scan:
    """A running sum or product along one dimension: ``out[i] = sum over j <= i of source[j]``."""

    target: Storage
    source: Ref
    dim: int
    sign: str


@dataclass(frozen=True)
class Extreme:
    """The greatest (``max``) or least (``min``) elements along one dimension, and their places."""

    values: Storage
    indices: Storage
    source: Ref
    dim: int
    sign: str


@dataclass(frozen=True)
class Cholesky:
    """The lower Cholesky factors of a batch of matrices, ``source`` of shape (b, n, n)."""

    target: Storage
    source: Ref


@dataclass(frozen=True)
class TriangularSolve:
    """``matrix[b] @ target[b] = right[b]`` for triangular matrices (b, n, n) and rights (b, n, m).

    Attributes:
        target: The solution.
        matrix: The matrices; what is on the other side of the diagonal is not looked at.
        right: The right sides.
        upper: Whether the triangles are upper ones.
        unit: Whether the diagonal is taken to be 1.
    """

    target: Storage
    matrix: Ref
    right: Ref
    upper: bool
    unit: bool


@dataclass(frozen=True)
class Foreign:
    """An operation that torch runs; ``index`` tells which one of the runner's list."""

    index: int
    reads: tuple[Storage, ...]
    writes: tuple[Storage, ...]


@dataclass(frozen=True, eq=False)
class RowGroup:
    """Kernels that all run over the same rows, and so can take turns block by block of them.

    A block of a large matrix is then read once for all of them while it is in the cache, and
    blocks can be shared out among threads.

    Attributes:
        rows: Their number.
        block: How many are taken at a time.
        members: The kernels, in order.
        sums: What they accumulate over the rows: the storages, with their sign.
        passing: What one of them writes row by row and only later ones read, each row in its turn.
    """

    rows: int
    block: int
    members: tuple[Loops | Product, ...]
    sums: tuple[tuple[Storage, str], ...]
    passing: tuple[Storage, ...] = ()

    def width(self, storage: Storage) -> int:
        """Elements that a storage, laid out row by row, has in each row."""
        return storage.size // self.rows


Kernel = Loops | Product | Scan | Extreme | Cholesky | TriangularSolve | Foreign | RowGroup


@dataclass
class Program:
    """All kernels of a step, and what must be copied where after the last.

    Attributes:
        kernels: In the order in which they run.
        storages: All of them.
        results: The new state, one tensor per state storage, and then the step's output, a
            number or a vector.
    """

    kernels: list[Kernel]
    storages: list[Storage]
    results: list[Ref]

    def of_role(self, role: Role) -> list[Storage]:
        """The storages of a role, in the order of the graph's inputs."""
        return [storage for storage in self.storages if storage.role == role]


def dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a row-major tensor."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def reads(kernel: Kernel) -> Iterator[Storage]:
    """The storages that a kernel reads from memory."""
    match kernel:
        case Loops():
            for statement in kernel.body:
                yield from (load.storage for load in loads_of(statement))
        case Product():
            yield from (r.storage for r in (kernel.left, kernel.right) if r.storage is not None)
        case TriangularSolve():
            yield from (r.storage for r in (kernel.matrix, kernel.right) if r.storage is not None)
        case Scan() | Extreme() | Cholesky():
            if kernel.source.storage is not None:
                yield kernel.source.storage
        case Foreign():
            yield from kernel.reads
        case RowGroup():
            for member in kernel.members:
                yield from reads(member)


def writes(kernel: Kernel) -> Iterator[Storage]:
    """The storages that a kernel writes, in memory or in registers."""
    match kernel:
        case Loops():
            yield from (statement.target for statement in kernel.body)
        case Product() | Scan() | Cholesky() | TriangularSolve():
            yield kernel.target
        case Extreme():
            yield from (kernel.values, kernel.indices)
        case Foreign():
            yield from kernel.writes
        case RowGroup():
            for member in kernel.members:
                yield from writes(member)


def loads_of(statement: Statement) -> Iterator[Load]:
    """The loads in a statement, those of its indices among them."""
    operands = statement.operands if isinstance(statement, Compute) else (statement.operand,)
    for operand in operands:
        yield from loads(operand)
    if isinstance(statement, Write):
        for gather in statement.gathers:
            yield from loads(gather.index)


def loads(operand: Operand) -> Iterator[Load]:
    """The loads in an operand, those of its indices among them."""
    if isinstance(operand, Load):
        yield operand
        for gather in operand.gathers:
            yield from loads(gather.index)
