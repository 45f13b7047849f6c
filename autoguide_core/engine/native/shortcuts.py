"""Arithmetic that need not be done: on numbers alone, by one, with nought; and plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from autoguide_core.engine.native.operations import overload
from autoguide_core.engine.native.program import Number, Ref

_NEUTRAL_SECOND: dict[str, float] = {
    "add.Tensor": 0,
    "add.Scalar": 0,
    "sub.Tensor": 0,
    "sub.Scalar": 0,
    "mul.Tensor": 1,
    "mul.Scalar": 1,
    "div.Tensor": 1,
    "div.Scalar": 1,
    "pow.Tensor_Scalar": 1,
}
_NEUTRAL_FIRST: dict[str, float] = {"add.Tensor": 0, "mul.Tensor": 1}

_FILLED: dict[str, Number] = {
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros"), 0),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), 1),
    **dict.fromkeys(("empty.memory_format", "empty_like", "empty_strided"), 0),
    **dict.fromkeys(("new_empty", "new_empty_strided"), 0),
}
_FILLED_WITH_LAST = ("full", "full_like", "new_full", "scalar_tensor")
FILLED = frozenset({*_FILLED, *_FILLED_WITH_LAST})
"""Operations that make a tensor of one number."""


def filled(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """The result of an operation of ``FILLED``."""
    value = _FILLED.get(name)
    if value is None:
        value = kwargs.get("fill_value", args[-1])
    if isinstance(value, Ref):
        return None
    return number(fact.shape, fact.dtype, value)


def number(shape: Sequence[int], dtype: torch.dtype, value: Number) -> Ref:
    """A tensor of one number, rounded to what its type can hold."""
    return Ref(tuple(shape), dtype, literal=_cast(value, dtype).item())


def shortcut(
    name: str,
    refs: Sequence[Ref],
    types: Sequence[torch.dtype],
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> Ref | None:
    """The result of an operation where it is one of its operands, or a number; else None.

    Args:
        name: The elementwise operation.
        refs: Its operands.
        types: The types that they are converted to first.
        shape: The result's shape.
        dtype: The result's type.
    """
    if all(ref.storage is None for ref in refs):
        return _folded(name, refs, types, shape, dtype)
    if name == "_to_copy":
        return _as_result(refs[0], shape, dtype)
    if name in _NEUTRAL_SECOND and refs[1].literal == _NEUTRAL_SECOND[name]:
        return _as_result(refs[0], shape, dtype)
    if name in _NEUTRAL_FIRST and refs[0].literal == _NEUTRAL_FIRST[name]:
        return _as_result(refs[1], shape, dtype)
    if name == "where.self" and refs[0].literal is not None:
        return _as_result(refs[1] if refs[0].literal else refs[2], shape, dtype)
    return None


def _as_result(ref: Ref, shape: tuple[int, ...], dtype: torch.dtype) -> Ref | None:
    if ref.dtype != dtype or ref.storage is None:
        return None
    if ref.shape == shape:
        return ref
    lead = len(shape) - len(ref.shape)
    strides = [0] * lead + [
        stride if size == wanted else 0
        for stride, size, wanted in zip(ref.strides, ref.shape, shape[lead:], strict=True)
    ]
    return replace(ref, shape=shape, strides=tuple(strides))


def _folded(
    name: str,
    refs: Sequence[Ref],
    types: Sequence[torch.dtype],
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> Ref | None:
    """An operation on numbers alone, done now, in the types in which it would be done later."""
    try:
        values = [_cast(ref.literal, kind) for ref, kind in zip(refs, types, strict=True)]
        if name == "_to_copy":
            return Ref(shape, dtype, literal=values[0].item())
        takes_number = name.endswith("Scalar") and name != "pow.Scalar"
        last = values[-1].item() if takes_number else values[-1]
        return Ref(shape, dtype, literal=overload(name)(*values[:-1], last).to(dtype).item())
    except (RuntimeError, TypeError, ValueError, OverflowError):
        return None


def _cast(value: Any, dtype: torch.dtype) -> torch.Tensor:
    """A number as torch would convert it, first of all from a Python float to ``dtype``."""
    wide = torch.float64 if isinstance(value, float) else None
    return torch.tensor(value, dtype=wide).to(dtype)
