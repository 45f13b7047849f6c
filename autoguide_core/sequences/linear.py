"""Linear recurrences in a logarithmic number of vectorised passes, by recursive doubling.

Source: Kogge and Stone, A parallel algorithm for the efficient solution of a general class of
recurrence equations, IEEE Transactions on Computers, 1973. A step is the map x ↦ b + a x; two maps
compose to another, and each pass composes the map of every step with the one of the steps just
before those that it covers so far. Nothing is divided, so that a coefficient may be zero, small or
negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from autoguide_core.sequences.steps import Value, as_tensor, initially


def linear_recurrence(
    first: Value, addend: Value, coefficient: Value, length: int, steps: int = 1, dim: int = -1
) -> Tensor:
    r"""Solve :math:`x_t = b_t + a_t x_{t-1}`, the first steps given.

    Args:
        first: The value of the first steps.
        addend: b, a number, or a tensor that may vary along `dim`.
        coefficient: a, likewise.
        length: How many steps there are.
        steps: How many first steps are given.
        dim: The axis of the steps, negative.

    Returns:
        x, of what all of these broadcast to, with `length` steps along `dim`.
    """
    value = initially(first, addend, length, steps, dim).movedim(dim, -1)
    if isinstance(coefficient, Tensor):
        while coefficient.dim() < -dim:
            coefficient = coefficient.unsqueeze(0)
        factor: Value = coefficient.movedim(dim, -1)
        fixed = coefficient.shape[dim] == 1
    else:
        factor, fixed = coefficient, True
    if fixed and steps == 1:
        summed = isinstance(factor, int | float) and factor == 1
        return (value.cumsum(-1) if summed else _doubled(value, factor)).movedim(-1, dim)
    # What is given depends on nothing before it.
    factor = initially(0.0, as_tensor(factor, value), length, steps)
    return _varying(value, factor).movedim(-1, dim)


def _doubled(value: Tensor, factor: Value) -> Tensor:
    """Solve with one factor for all steps: its powers are all that a pass needs."""
    reach = 1
    while reach < value.shape[-1]:
        value = value + factor * _shifted(value, reach)
        factor = factor * factor
        reach *= 2
    return value


def _varying(value: Tensor, factor: Tensor) -> Tensor:
    """Solve with a factor for each step."""
    reach = 1
    while reach < value.shape[-1]:
        value = value + factor * _shifted(value, reach)
        factor = factor * _shifted(factor, reach)
        reach *= 2
    return value


def _shifted(value: Tensor, steps: int, dim: int = -1) -> Tensor:
    """Return the value of some steps before, zero before the first."""
    kept = value.narrow(dim, 0, value.shape[dim] - steps)
    return torch.cat([torch.zeros_like(value.narrow(dim, 0, steps)), kept], dim)


def linear_system(
    first: Sequence[Value],
    addends: Sequence[Value],
    coefficients: Mapping[tuple[int, int, int], Value],
    length: int,
    steps: int = 1,
    dim: int = -1,
) -> list[Tensor]:
    r"""Solve :math:`x_{i,t} = b_{i,t} + \sum_{j,k} a_{ijk,t} x_{j,t-k}`, the first steps given.

    The unknowns and their lags make one vector, whose steps are affine maps (the companion form).

    Args:
        first: The values of the first steps, one for each unknown i.
        addends: b, one for each unknown.
        coefficients: a by (i, j, k), for lags k of at least 1; what is left out is zero.
        length: How many steps there are.
        steps: How many first steps are given, at least the deepest lag.
        dim: The axis of the steps, negative.

    Returns:
        x, one tensor for each unknown, with `length` steps along `dim`.
    """
    depth = max(lag for _, _, lag in coefficients)
    count = len(addends)
    like = next((v for v in (*first, *addends) if isinstance(v, Tensor)), 0.0)
    values = [
        initially(as_tensor(start, like), as_tensor(addend, like), length, steps, dim).movedim(
            dim, -1
        )
        for start, addend in zip(first, addends, strict=True)
    ]
    factors = {
        place: initially(0.0, as_tensor(value, values[0]), length, steps, dim).movedim(dim, -1)
        for place, value in coefficients.items()
    }
    shape = torch.broadcast_shapes(*(v.shape for v in (*values, *factors.values())))
    zero = torch.zeros(shape, dtype=values[0].dtype, device=values[0].device)
    one = zero + 1.0
    # The vector is x_{0,t} … x_{n-1,t}, then the same of t - 1, and so on.
    size = count * depth
    vector = torch.stack([v.expand(shape) for v in values] + [zero] * (size - count), -1)
    rows = [
        [
            factors[(i, at % count, at // count + 1)].expand(shape)
            if (i, at % count, at // count + 1) in factors
            else zero
            for at in range(size)
        ]
        for i in range(count)
    ] + [[one if at == i - count else zero for at in range(size)] for i in range(count, size)]
    matrix = torch.stack([torch.stack(row, -1) for row in rows], -2)
    reach = 1
    while reach < length:
        vector = vector + (matrix @ _shifted(vector, reach, -2).unsqueeze(-1)).squeeze(-1)
        matrix = matrix @ _shifted(matrix, reach, -3)
        reach *= 2
    return [vector[..., i].movedim(-1, dim) for i in range(count)]
