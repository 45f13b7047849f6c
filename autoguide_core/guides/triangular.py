"""Numerical inverses of increasing triangular maps, of which flows are made.

Entry ``i`` of such a map depends on the entries up to ``i`` of its argument only, and increases
with entry ``i``. So the argument can be found one entry after another, each by a search on a line,
and mostly all entries can be found at once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_MAX_JOINT_STEPS = 50
_MAX_DOUBLINGS = 100
_MAX_STEPS = 100


def invert_triangular(
    value_and_slope: Callable[[Tensor], tuple[Tensor, Tensor]], target: Tensor
) -> Tensor:
    """Solve ``f(x) = target`` for an increasing triangular map.

    At first Newton steps are taken with the diagonal of the Jacobian alone, for all entries at
    once. As soon as the entries before it are right, an entry takes plain Newton steps; some 10 to
    20 steps serve in practice. Where they do not settle, the entries are found one by one.

    Args:
        value_and_slope: Gives f(x) and the diagonal of its Jacobian, each (..., D).
        target: Shape (..., D).

    Returns:
        Shape (..., D), exact up to rounding.

    Raises:
        ValueError: A target lies outside the range of the map, or is not finite.
    """
    x = target.clone()
    tolerance = 64 * torch.finfo(target.dtype).eps
    for _ in range(_MAX_JOINT_STEPS):
        value, slope = value_and_slope(x)
        step = (target - value) / slope
        x = x + step
        if bool((step.abs() / (1 + x.abs()) <= tolerance).all()):  # not so where x is infinite
            return x
    return invert_entry_by_entry(value_and_slope, target)


def invert_entry_by_entry(
    value_and_slope: Callable[[Tensor], tuple[Tensor, Tensor]], target: Tensor
) -> Tensor:
    """As `invert_triangular`: slower, by some 20 D evaluations, but from any start.

    Each entry is found by Newton's method inside a bracket, with a bisection wherever Newton's step
    leaves the bracket or shrinks too slowly (Press et al., Numerical Recipes, section 9.4).
    """
    x = target.clone()
    for index in range(target.shape[-1]):

        def entry(point: Tensor, index: int = index) -> tuple[Tensor, Tensor]:
            x[..., index] = point
            value, slope = value_and_slope(x)
            return value[..., index], slope[..., index]

        x[..., index] = _root(entry, target[..., index])
    return x


def with_inverse_gradient(f: Callable[[Tensor], Tensor], x: Tensor, target: Tensor) -> Tensor:
    """Give a solution of ``f(x) = target`` its gradient.

    By the implicit function theorem one Newton step from the solution has the derivatives of the
    inverse, with respect to the target and to what f depends on.

    Args:
        f: A map of vectors whose Jacobian is lower triangular.
        x: A solution, shape (..., D); its own gradient is not used.
        target: Shape (..., D).

    Returns:
        The same values, with the gradient.
    """
    start = x.detach().requires_grad_()
    image = f(start)
    rows = [
        torch.autograd.grad(image[..., i].sum(), start, retain_graph=True)[0]
        for i in range(image.shape[-1])
    ]
    jacobian = torch.stack(rows, dim=-2)
    error = (target - f(x.detach())).unsqueeze(-1)
    return x.detach() + torch.linalg.solve_triangular(jacobian, error, upper=False).squeeze(-1)


def _root(entry: Callable[[Tensor], tuple[Tensor, Tensor]], target: Tensor) -> Tensor:
    low, high = _bracket(entry, target)
    point = 0.5 * (low + high)
    previous_step = high - low
    tolerance = 4 * torch.finfo(target.dtype).eps
    for _ in range(_MAX_STEPS):
        value, slope = entry(point)
        error = value - target
        low = torch.where(error < 0, point, low)
        high = torch.where(error > 0, point, high)
        newton = point - error / slope
        is_good = (newton >= low) & (newton <= high)
        is_good &= 2 * error.abs() <= (previous_step * slope).abs()
        following = torch.where(is_good, newton, 0.5 * (low + high))
        following = torch.where(error == 0, point, following)
        previous_step = following - point
        point = following
        if bool((previous_step.abs() <= tolerance * (1 + point.abs())).all()):
            break
    return point


def _bracket(
    entry: Callable[[Tensor], tuple[Tensor, Tensor]], target: Tensor
) -> tuple[Tensor, Tensor]:
    """Points below and above the root, found by doubling the distance from zero."""
    low, high = -torch.ones_like(target), torch.ones_like(target)
    for _ in range(_MAX_DOUBLINGS):
        is_below, is_above = entry(low)[0] <= target, entry(high)[0] >= target
        if bool((is_below & is_above).all()):
            return low, high
        low = torch.where(is_below, low, 2 * low)
        high = torch.where(is_above, high, 2 * high)
    raise ValueError(
        "A value cannot be scored by this flow: it is not finite, or outside the range of the flow."
    )
