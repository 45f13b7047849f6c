"""Puts statements into kernels: each into the earliest loops that already run over its shape.

Fusing is greedy. A statement can join a kernel if all that it reads is complete before the kernel
starts, or is computed by the kernel itself at the same place of its loops; everything else opens a
new kernel at the end.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from autoguide_core.engine.native.program import (
    Cholesky,
    Compute,
    Constant,
    Extreme,
    Foreign,
    Gather,
    Kernel,
    Load,
    Loops,
    Number,
    Operand,
    Product,
    Program,
    Ref,
    Register,
    Role,
    Scan,
    Storage,
    TriangularSolve,
    Write,
    dense_strides,
)

Index = tuple[Ref, int, int]
"""An index tensor, the stride it is multiplied by, and the size of the dimension it points into."""


class Builder:
    """Collects the storages and kernels of a program."""

    def __init__(self) -> None:
        self._kernels: list[Kernel] = []
        self._storages: list[Storage] = []
        self._loops: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)

    def program(self, results: list[Ref]) -> Program:
        """The program so far, with these results."""
        for ref in results:
            if ref.storage is not None:
                ref.storage.stored = True
        return Program(self._kernels, self._storages, results)

    def given(self, tensor: torch.Tensor, role: Role) -> Ref:
        """A tensor that comes from outside, as it lies in memory."""
        ends = ((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
        storage = self._storage(tensor.dtype, 1 + sum(ends) if tensor.numel() else 0, role)
        return Ref(tuple(tensor.shape), tensor.dtype, storage, tuple(tensor.stride()))

    def scratch(self, dtype: torch.dtype, shape: Sequence[int], fill: Number | None = None) -> Ref:
        """A tensor that kernels will write."""
        storage = self._storage(dtype, math.prod(shape), "scratch")
        storage.fill = fill
        return Ref(tuple(shape), dtype, storage, dense_strides(tuple(shape)))

    def compute(
        self,
        expression: str,
        refs: Sequence[Ref],
        shape: Sequence[int],
        dtype: torch.dtype,
        types: Sequence[torch.dtype],
    ) -> Ref:
        """An elementwise operation on tensors that broadcast to ``shape``.

        Along dimensions where no operand varies it is computed once, and the result spread.
        """
        whole = tuple(shape)
        varying = _varying(refs, whole)
        result = self._compute(
            expression, [_narrowed(ref, varying) for ref in refs], varying, dtype, types
        )
        strides = tuple(
            0 if size != own else stride
            for size, own, stride in zip(whole, varying, result.strides, strict=True)
        )
        return replace(result, shape=whole, strides=strides)

    def _compute(
        self,
        expression: str,
        refs: Sequence[Ref],
        shape: tuple[int, ...],
        dtype: torch.dtype,
        types: Sequence[torch.dtype],
    ) -> Ref:
        result = self.scratch(dtype, shape)
        at, body = self._join(result.shape, refs)
        operands = tuple(self._operand(ref, result.shape, at) for ref in refs)
        assert result.storage is not None
        result.storage.kernel, result.storage.local = at, True
        body.append(Compute(result.storage, expression, operands, tuple(types)))
        return result

    def copy(self, ref: Ref) -> Ref:
        """A dense copy of a tensor."""
        return self._compute("{0}", [ref], ref.shape, ref.dtype, [ref.dtype])

    def gather(self, source: Ref, strides: Sequence[int], indices: Sequence[Index]) -> Ref:
        """Elements of ``source``: its own walk by ``strides`` over the result, and by indices.

        Args:
            source: The tensor to read; its shape is that of the result.
            strides: Elements between neighbours, a number per dimension of the result.
            indices: Index tensors that broadcast to the result's shape.
        """
        result = self.scratch(source.dtype, source.shape)
        at, body = self._join(result.shape, [ref for ref, _, _ in indices], [source])
        assert result.storage is not None
        assert source.storage is not None
        source.storage.stored = True
        walk = Ref(source.shape, source.dtype, source.storage, tuple(strides))
        gathers = self._gathers(indices, result.shape, at)
        load = Load(source.storage, walk.over(source.shape), source.offset, gathers)
        result.storage.kernel, result.storage.local = at, True
        body.append(Compute(result.storage, "{0}", (load,), (source.dtype,)))
        return result

    def write(
        self,
        target: Ref,
        source: Ref,
        sign: str = "=",
        indices: Sequence[Index] = (),
        *,
        disjoint: bool = False,
    ) -> None:
        """Write or accumulate ``source`` into a part of a scratch tensor.

        Args:
            target: The part, a tensor that ``source`` broadcasts to, or is summed over to where
                its strides are 0.
            source: The values.
            sign: ``=``, or how to accumulate.
            indices: Index tensors that move the place of each element.
            disjoint: Whether no other write touches the same elements, so that order is free.
        """
        storage = target.storage
        assert storage is not None
        after = [] if disjoint else [target]
        at, body = self._join(target.shape, [source, *(ref for ref, _, _ in indices)], after)
        operand = self._operand(source, target.shape, at)
        gathers = self._gathers(indices, target.shape, at)
        strides = target.over(target.shape)
        body.append(Write(storage, strides, target.offset, sign, operand, gathers))
        storage.stored = True
        storage.kernel = max(storage.kernel, at)

    def product(self, left: Ref, right: Ref, sizes: tuple[int, int, int, int]) -> Ref:
        """A batch of matrix products; ``sizes`` are those of batch, rows, columns and the sum."""
        batch, rows, columns, _ = sizes
        result = self.scratch(left.dtype, (batch, rows, columns))
        assert result.storage is not None
        self._append(Product(result.storage, left, right, sizes), [left, right], [result])
        return result

    def scan(self, source: Ref, dim: int, sign: str) -> Ref:
        """A running sum (``+``) or product (``*``) along a dimension."""
        result = self.scratch(source.dtype, source.shape)
        assert result.storage is not None
        self._append(Scan(result.storage, source, dim, sign), [source], [result])
        return result

    def extreme(self, source: Ref, dim: int, sign: str, shape: Sequence[int]) -> tuple[Ref, Ref]:
        """The greatest or least elements along a dimension, and their places, in ``shape``."""
        values, indices = self.scratch(source.dtype, shape), self.scratch(torch.int64, shape)
        assert values.storage is not None
        assert indices.storage is not None
        kernel = Extreme(values.storage, indices.storage, source, dim, sign)
        self._append(kernel, [source], [values, indices])
        return values, indices

    def cholesky(self, source: Ref) -> Ref:
        """The lower Cholesky factors of matrices of shape (b, n, n)."""
        result = self.scratch(source.dtype, source.shape)
        assert result.storage is not None
        self._append(Cholesky(result.storage, source), [source], [result])
        return result

    def triangular_solve(self, matrix: Ref, right: Ref, *, upper: bool, unit: bool) -> Ref:
        """The solution of triangular systems, (b, n, n) by (b, n, m)."""
        result = self.scratch(right.dtype, right.shape)
        assert result.storage is not None
        kernel = TriangularSolve(result.storage, matrix, right, upper, unit)
        self._append(kernel, [matrix, right], [result])
        return result

    def foreign(self, index: int, reads: Sequence[Ref], writes: Sequence[Ref]) -> None:
        """An operation that torch runs."""
        storages = tuple(ref.storage for ref in reads if ref.storage is not None)
        targets = tuple(ref.storage for ref in writes if ref.storage is not None)
        self._append(Foreign(index, storages, targets), reads, writes)

    def _append(self, kernel: Kernel, reads: Iterable[Ref], writes: Iterable[Ref]) -> None:
        for ref in reads:
            if ref.storage is not None:
                ref.storage.stored = True
        for ref in writes:
            if ref.storage is not None:
                ref.storage.stored = True
                ref.storage.kernel = len(self._kernels)
        self._kernels.append(kernel)

    def _join(
        self, shape: tuple[int, ...], refs: Sequence[Ref], complete: Sequence[Ref] = ()
    ) -> tuple[int, list[Compute | Write]]:
        """The kernel that a statement over ``shape`` goes into, by number, and its body.

        Args:
            shape: What the statement runs over.
            refs: What it reads element by element.
            complete: What must be complete before it starts.
        """
        domain = tuple(size for size in shape if size != 1)
        earliest = 0
        for ref in refs:
            if ref.storage is not None:
                alongside = _is_alongside(ref, shape) and self._domain(ref.storage) == domain
                earliest = max(earliest, ref.storage.kernel + (0 if alongside else 1))
        for ref in complete:
            if ref.storage is not None:
                earliest = max(earliest, ref.storage.kernel + 1)
        there = self._loops[domain]
        place = bisect.bisect_left(there, earliest)
        if place == len(there):
            there.append(len(self._kernels))
            self._kernels.append(Loops(domain))
        loops = self._kernels[there[place]]
        assert isinstance(loops, Loops)
        return there[place], loops.body

    def _domain(self, storage: Storage) -> tuple[int, ...] | None:
        kernel = self._kernels[storage.kernel] if storage.kernel >= 0 else None
        return kernel.domain if isinstance(kernel, Loops) else None

    def _operand(self, ref: Ref, shape: tuple[int, ...], at: int) -> Operand:
        if ref.storage is None:
            assert ref.literal is not None
            return Constant(ref.literal)
        if ref.storage.kernel == at:
            return Register(ref.storage)
        ref.storage.stored = True
        return Load(ref.storage, ref.over(shape), ref.offset)

    def _gathers(
        self, indices: Sequence[Index], shape: tuple[int, ...], at: int
    ) -> tuple[Gather, ...]:
        return tuple(
            Gather(self._operand(ref, shape, at), stride, size) for ref, stride, size in indices
        )

    def _storage(self, dtype: torch.dtype, size: int, role: Role) -> Storage:
        storage = Storage(f"{role}_{len(self._storages)}", dtype, size, role)
        self._storages.append(storage)
        return storage


def _varying(refs: Sequence[Ref], shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape, with 1 for each dimension along which all operands are the same."""
    sizes = [1] * len(shape)
    for ref in refs:
        lead = len(shape) - len(ref.shape)
        for d, (size, stride) in enumerate(zip(ref.shape, ref.strides, strict=False)):
            if size != 1 and stride:
                sizes[lead + d] = shape[lead + d]
    return tuple(0 if size == 0 else own for size, own in zip(shape, sizes, strict=True))


def _narrowed(ref: Ref, shape: tuple[int, ...]) -> Ref:
    """A tensor cut down to one element along the dimensions where ``shape`` is 1."""
    lead = len(shape) - len(ref.shape)
    return replace(
        ref, shape=tuple(min(n, s) for n, s in zip(ref.shape, shape[lead:], strict=True))
    )


def _is_alongside(ref: Ref, shape: tuple[int, ...]) -> bool:
    """Whether walking over ``shape`` meets the storage's elements one by one in their order."""
    storage = ref.storage
    assert storage is not None
    domain = tuple(size for size in shape if size != 1)
    return (
        storage.local
        and ref.offset == 0
        and storage.size == math.prod(domain)
        and ref.over(shape) == dense_strides(domain)
    )
