"""Matrix products, and running sums and products: what has a kernel of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.elementwise import converted, elementwise
from autoguide_core.engine.native.program import Ref, dense_strides
from autoguide_core.engine.native.shortcuts import number

_OWN_PRODUCT = 60_000
"""Multiplications up to which our own loops beat the call of a BLAS through torch."""

_Handler = Callable[[Builder, Sequence[Any], Mapping[str, Any], torch.Tensor], Ref | None]


def _product(
    builder: Builder, args: Sequence[Any], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """``mm``, ``bmm``, ``mv`` and ``dot``: all are batches of products of matrices."""
    left, right = args[:2]
    if left.numel == 0 or right.numel == 0:
        return number(fact.shape, fact.dtype, 0)
    # A vector is a matrix with one row or column; a matrix is a batch of one.
    if len(left.shape) == 1:
        left = _with_dim(left, 0)
    if len(right.shape) == 1:
        right = _with_dim(right, 1)
    if len(left.shape) == 2:
        left, right = _with_dim(left, 0), _with_dim(right, 0)
    batch, rows, inner = left.shape
    columns = right.shape[2]
    small = batch * rows * columns * inner <= _OWN_PRODUCT
    if (not small and min(rows, columns, inner) > 8) or not left.dtype.is_floating_point:
        return None
    left, right = _in_memory(builder, left), _in_memory(builder, right)
    result = builder.product(left, right, (batch, rows, columns, inner))
    shape = tuple(fact.shape)
    return Ref(shape, result.dtype, result.storage, dense_strides(shape))


def _sum_and_product(
    builder: Builder, args: Sequence[Any], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """``beta * tensor + alpha * product``."""
    product = _product(builder, args[1:], {}, fact)
    if product is None:
        return None
    terms = []
    for factor, term in ((kwargs.get("beta", 1), args[0]), (kwargs.get("alpha", 1), product)):
        if factor == 0:  # what is multiplied by nought may be NaN
            continue
        literal = number((), fact.dtype, factor)
        terms.append(elementwise(builder, "mul.Tensor", [term, literal], fact))
    if not terms:
        return number(fact.shape, fact.dtype, 0)
    return elementwise(builder, "add.Tensor", terms, fact) if len(terms) == 2 else terms[0]


def _running(sign: str) -> _Handler:
    """A running sum or product along a dimension."""

    def handler(
        builder: Builder, args: Sequence[Any], kwargs: Mapping[str, Any], fact: torch.Tensor
    ) -> Ref | None:
        source, dim = args[:2]
        if not source.shape:
            return None
        source = converted(builder, source, fact)
        return builder.scan(_in_memory(builder, source), dim % len(source.shape), sign)

    return handler


def _in_memory(builder: Builder, ref: Ref) -> Ref:
    """A tensor that has a storage: one number in a shape is written out."""
    return builder.copy(ref) if ref.storage is None else ref


def _with_dim(ref: Ref, dim: int) -> Ref:
    """A view with one more dimension of size 1."""
    shape, strides = list(ref.shape), list(ref.strides)
    shape.insert(dim, 1)
    if ref.storage is not None:
        strides.insert(dim, 0)
    return replace(ref, shape=tuple(shape), strides=tuple(strides))


MATRICES: dict[str, _Handler] = {
    **dict.fromkeys(("mm", "mv", "dot", "bmm"), _product),
    **dict.fromkeys(("addmm", "addmv", "baddbmm"), _sum_and_product),
    "cumsum": _running("+"),
    "cumprod": _running("*"),
}
"""By the operation's name; a handler returns None for what it leaves to torch."""
