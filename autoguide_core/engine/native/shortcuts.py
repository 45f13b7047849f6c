"""Arithmetic that need not be done: multiplying by one, adding nought, squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from autoguide_core.engine.native.operations import overload
from autoguide_core.engine.native.program import Ref

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


def shortcut(
    name: str, refs: Sequence[Ref], shape: tuple[int, ...], dtype: torch.dtype
) -> Ref | None:
    """The result of an operation where it is one of its operands, or a number; else None."""
    if all(ref.storage is None for ref in refs):
        return _folded(name, refs, shape, dtype)
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
    name: str, refs: Sequence[Ref], shape: tuple[int, ...], dtype: torch.dtype
) -> Ref | None:
    """An operation on numbers alone, done now."""
    values = [torch.tensor(ref.literal, dtype=ref.dtype) for ref in refs]
    if name == "_to_copy":
        value = values[0]
    else:
        operation = overload(name)
        takes_number = name.endswith("Scalar") and name != "pow.Scalar"
        try:
            value = operation(*values[:-1], values[-1].item() if takes_number else values[-1])
        except (RuntimeError, TypeError):
            return None
    return Ref(shape, dtype, literal=value.to(dtype).item())
