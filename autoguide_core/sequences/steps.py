"""The steps of a sequence: earlier values, first steps that differ, single steps.

A value that does not vary along the axis may lack it, or have it with size one, as a plate's slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Value: TypeAlias = "float | Tensor"


def previous(value: Tensor, steps: int = 1, default: Value | None = None, dim: int = -1) -> Tensor:
    """Return the value of some steps before, at every step.

    Args:
        value: The sequence; one that does not vary along `dim` is its own past.
        steps: How many steps before, at least 1.
        default: What stands in for the values before the first one; `value` has the axis of the
            steps then, be it of a single one. Without a default the first value stands in: it keeps
            what is computed from it inside the value's own domain, where nothing may read it (see
            `initially` and `since`).
        dim: The axis of the steps, negative.

    Returns:
        A tensor of the shape of `value`, or of what it and `default` broadcast to.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"earlier steps of {value!r}, which is no tensor")
    if default is None and not _varies(value, dim):
        return value
    length = value.shape[dim]
    held = min(steps, length)
    first = value.narrow(dim, 0, 1) if default is None else as_tensor(default, value)
    return _joined(_steps(first, held, dim), value.narrow(dim, 0, length - held), dim)


def initially(first: Value, rest: Value, length: int, steps: int = 1, dim: int = -1) -> Tensor:
    """Return the first value for the first steps, and the other one from then on.

    Args:
        first: The value of the first steps; what it says of later ones is not used.
        rest: The value of all others; what it says of the first ones is not used.
        length: How many steps there are.
        steps: How many of them are the first ones.
        dim: The axis of the steps, negative.
    """
    held = min(steps, length)
    before, after = as_tensor(first, rest), as_tensor(rest, first)
    return _joined(_part(before, 0, held, dim), _part(after, held, length - held, dim), dim)


def since(step: int, length: int, dim: int = -1) -> Tensor:
    """Return a mask that is true from a step on, ready for a plate at `dim`."""
    mask = torch.arange(length) >= step
    return mask.reshape(length, *(1,) * (-dim - 1))


def at_step(value: Value, step: int, dim: int = -1) -> Value:
    """Return a value at one step, its axis kept with size one."""
    if not isinstance(value, Tensor) or not _varies(value, dim):
        return value
    return value.narrow(dim, step, 1)


def joined(steps: Sequence[Value], dim: int = -1) -> Tensor:
    """Join the values of all steps, each with an axis of size one, to a sequence."""
    like = next((value for value in steps if isinstance(value, Tensor)), 0.0)
    tensors = [_with_axis(as_tensor(value, like), dim) for value in steps]
    return torch.cat(torch.broadcast_tensors(*tensors), dim)


def as_tensor(value: Value, like: Value) -> Tensor:
    """Return a value as a tensor, a number with the precision and the device of another value."""
    if isinstance(value, Tensor):
        return value
    if isinstance(like, Tensor) and like.is_floating_point():
        return torch.tensor(value, dtype=like.dtype, device=like.device)
    return torch.tensor(float(value))


def _varies(value: Tensor, dim: int) -> bool:
    return bool(value.dim() >= -dim and value.shape[dim] != 1)


def _with_axis(value: Tensor, dim: int) -> Tensor:
    missing = -dim - value.dim()
    return value.reshape((1,) * missing + value.shape) if missing > 0 else value


def _steps(value: Tensor, count: int, dim: int) -> Tensor:
    """Return one value as that many equal steps."""
    tensor = _with_axis(value, dim)
    shape = list(tensor.shape)
    shape[dim] = count
    return tensor.expand(shape)


def _part(value: Tensor, start: int, count: int, dim: int) -> Tensor:
    """Return some steps of a value, which need not vary."""
    if _varies(value, dim):
        return value.narrow(dim, start, count)
    return _steps(value, count, dim)


def _joined(before: Tensor, after: Tensor, dim: int) -> Tensor:
    """Concatenate two parts whose other axes broadcast."""
    rank = max(before.dim(), after.dim())
    parts = [_with_axis(part, -rank) for part in (before, after)]
    shape = list(torch.broadcast_shapes(*(_without(part, dim) for part in parts)))
    dtype = torch.promote_types(before.dtype, after.dtype)
    whole = []
    for part in parts:
        wanted = list(shape)
        wanted[dim] = part.shape[dim]
        whole.append(part.to(dtype).expand(wanted))
    return torch.cat(whole, dim)


def _without(value: Tensor, dim: int) -> torch.Size:
    shape = list(value.shape)
    shape[dim] = 1
    return torch.Size(shape)
