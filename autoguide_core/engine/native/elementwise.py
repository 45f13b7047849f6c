"""Elementwise operations and reductions, as statements of loops."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.operations import ELEMENTWISE, REDUCTIONS
from autoguide_core.engine.native.program import Number, Ref, dense_strides
from autoguide_core.engine.native.shortcuts import number, shortcut
from autoguide_core.engine.native.views import reshape

_UNDERSTOOD = frozenset(
    {"alpha", "dtype", "layout", "device", "pin_memory", "non_blocking", "memory_format"}
)
"""Keywords that are heeded, or that the type of the result tells already."""

_OF_NOTHING: dict[str, Number] = {
    "+": 0,
    "*": 1,
    "&&": True,
    "||": False,
    "mean": math.nan,
}
"""What a reduction of no element at all is."""


def elementwise_call(
    builder: Builder, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """An operation of the table as a graph states it; None where a keyword changes its meaning."""
    if name in ("clamp", "clamp.Tensor"):
        return _clamp(builder, *args, fact=fact, **kwargs)
    row = ELEMENTWISE[name]
    operands, further = list(args[: row.arity]), args[row.arity :]
    scaled = name.startswith(("add.", "sub.", "rsub."))
    if len(operands) < row.arity or len(further) > scaled or not set(kwargs) <= _UNDERSTOOD:
        return None
    alpha = further[0] if further else kwargs.get("alpha", 1)
    if alpha != 1:
        place = 0 if name.startswith("rsub.") else 1
        operands[place] = elementwise(
            builder, "mul.Tensor", [_as_ref(operands[place]), _as_ref(alpha)], fact
        )
    common = _promoted(operands) if row.compares else fact.dtype
    return elementwise(builder, name, [_as_ref(a) for a in operands], fact, common)


def elementwise(
    builder: Builder,
    name: str,
    refs: Sequence[Ref],
    fact: torch.Tensor,
    common: torch.dtype | None = None,
) -> Ref:
    """An operation of the table on tensors that broadcast to the shape of ``fact``.

    Args:
        builder: Where the statement goes.
        name: The operation.
        refs: Its operands.
        fact: The result's shape and type.
        common: The type in which it is computed, if that is not the result's.
    """
    row = ELEMENTWISE[name]
    types = [common or fact.dtype] * len(refs)
    if row.condition:
        types[0] = torch.bool
    short = shortcut(name, refs, types, tuple(fact.shape), fact.dtype)
    if short is not None:
        return short
    return builder.compute(row.expression, refs, fact.shape, fact.dtype, types)


def converted(builder: Builder, ref: Ref, fact: torch.Tensor) -> Ref:
    """A tensor in the type of ``fact``, broadcast to its shape."""
    return elementwise(builder, "_to_copy", [ref], fact)


def reduction(
    builder: Builder, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """A reduction of the table over some or all dimensions."""
    source: Ref = args[0]
    sign = REDUCTIONS[name]
    if sign in ("&&", "||") and fact.dtype != torch.bool:
        return None  # of bytes; the result is a byte too
    if source.numel == 0:
        return number(fact.shape, fact.dtype, _OF_NOTHING[sign]) if sign in _OF_NOTHING else None
    dims = args[1] if len(args) > 1 else kwargs.get("dim")
    if isinstance(dims, int):
        dims = [dims]
    rank = len(source.shape)
    if dims == [] and sign in ("&&", "||"):
        return converted(builder, source, fact)
    reduced = {d % max(rank, 1) for d in dims or range(rank)}
    kept = tuple(1 if d in reduced else size for d, size in enumerate(source.shape))
    count = source.numel // math.prod(kept)
    if count == 1:
        return converted(builder, reshape(builder, source, tuple(fact.shape)), fact)
    target = builder.scratch(fact.dtype, fact.shape)
    walk = tuple(0 if d in reduced else stride for d, stride in enumerate(dense_strides(kept)))
    place = Ref(source.shape, fact.dtype, target.storage, walk)
    builder.write(place, source, "+" if sign == "mean" else sign)
    if sign == "mean":
        return elementwise(builder, "div.Tensor", [target, _as_ref(float(count))], fact)
    return target


def _clamp(
    builder: Builder,
    value: Ref,
    min: Any = None,  # noqa: A002
    max: Any = None,  # noqa: A002
    *,
    fact: torch.Tensor,
) -> Ref:
    """Either bound may be missing."""
    value = converted(builder, value, fact) if value.dtype != fact.dtype else value
    if min is not None:
        value = elementwise(builder, "maximum", [value, _as_ref(min)], fact)
    if max is not None:
        value = elementwise(builder, "minimum", [value, _as_ref(max)], fact)
    return value


def _as_ref(value: Ref | Number) -> Ref:
    if isinstance(value, Ref):
        return value
    return Ref((), torch.tensor(value).dtype, literal=value)


def _promoted(operands: Sequence[Ref | Number]) -> torch.dtype:
    """The type in which tensors and numbers are compared, by torch's own rules."""
    samples = [
        torch.empty((1,) if a.shape else (), dtype=a.dtype) if isinstance(a, Ref) else a
        for a in operands
    ]
    return torch.result_type(samples[0], samples[-1])
