"""Triangular matrices: which factorisations and systems are small enough for our own code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.program import Ref, dense_strides
from autoguide_core.engine.native.shortcuts import number
from autoguide_core.engine.native.views import reshape

_LARGEST = 40
"""Rows of a matrix from which on LAPACK is faster, the cost of a call included."""

_Handler = Callable[[Builder, Sequence[Any], Mapping[str, Any], Any], Any]


def _cholesky(
    builder: Builder, args: Sequence[Any], kwargs: Mapping[str, Any], fact: Any
) -> list[Ref] | None:
    """The factor, and the report that nothing went wrong: if it did, the factor holds NaN."""
    source: Ref = args[0]
    upper = args[1] if len(args) > 1 else kwargs.get("upper", False)
    if upper or not _is_small(source):
        return None
    factor = builder.cholesky(_as_batch(builder, source))
    return [_unbatched(factor, fact[0]), number(fact[1].shape, fact[1].dtype, 0)]


def _solve(
    builder: Builder, args: Sequence[Any], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """``A X = B``, or ``X A = B``, which is the first one transposed."""
    matrix, right = args[:2]
    upper, left = bool(kwargs["upper"]), bool(kwargs.get("left", True))
    same_batch = matrix.shape[:-2] == right.shape[:-2]
    if not same_batch or not _is_small(matrix) or right.storage is None or right.numel == 0:
        return None
    if not left:
        matrix, right, upper = _transposed(matrix), _transposed(right), not upper
    solution = builder.triangular_solve(
        _as_batch(builder, matrix),
        _as_batch(builder, right),
        upper=upper,
        unit=bool(kwargs.get("unitriangular", False)),
    )
    shape = right.shape
    result = replace(solution, shape=shape, strides=dense_strides(shape))
    return result if left else _transposed(result)


def _is_small(matrix: Ref) -> bool:
    floating = matrix.dtype.is_floating_point
    return matrix.storage is not None and floating and 0 < matrix.shape[-1] <= _LARGEST


def _as_batch(builder: Builder, ref: Ref) -> Ref:
    return reshape(builder, ref, (math.prod(ref.shape[:-2]), *ref.shape[-2:]))


def _unbatched(ref: Ref, fact: torch.Tensor) -> Ref:
    shape = tuple(fact.shape)
    return replace(ref, shape=shape, strides=dense_strides(shape))


def _transposed(ref: Ref) -> Ref:
    *batch, rows, columns = ref.shape
    *before, row_stride, column_stride = ref.strides
    return replace(ref, shape=(*batch, columns, rows), strides=(*before, column_stride, row_stride))


TRIANGLES: dict[str, _Handler] = {
    "linalg_cholesky_ex": _cholesky,
    "linalg_solve_triangular": _solve,
}
"""By the operation's name; a handler returns None for what it leaves to torch."""
