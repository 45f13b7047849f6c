"""The front door: shapes, times and the choice of a solver."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from autoguide_core.functions.odes.adaptive import ADAPTIVE, Adaptive
from autoguide_core.functions.odes.fixed import FixedSteps
from autoguide_core.functions.odes.operation import Solution
from autoguide_core.functions.odes.runge_kutta import TABLEAUX, Steps
from autoguide_core.functions.odes.solver import Derivative, number_of

STEPS = 20
"""Steps between neighbouring times, by default."""

_MOST = 25
"""At most so many times more steps go to a long interval."""

_LARGE = 64
"""From so many numbers on, data that are the same for all lanes are not copied for each."""


def solve(
    derivative: Derivative,
    state: Tensor,
    start: Tensor | float,
    times: Tensor,
    *arguments: Tensor,
    event_dims: Sequence[int],
    method: str = "rk4",
    steps: int | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> Tensor:
    """Solve ``dy/dt = derivative(t, y, *arguments)``, ``y(start) = state``, at some times.

    Args:
        derivative: Takes the time, the state and the arguments, all with any further dimensions
            on their left, and returns the slopes of the state.
        state: The state at `start`, (..., *event).
        start: When that is, (...).
        times: When the solution is wanted, (..., T); each is reached from the one before it.
        *arguments: Further arguments of the derivative, (..., *event).
        event_dims: The number of event dimensions of the state, 0 or 1, and of each argument.
        method: ``rk4``, ``midpoint`` or ``euler`` with fixed steps; ``dopri5``, ``dopri8`` or
            ``adams`` with steps of torchdiffeq's choice, which is slower.
        steps: Fixed steps from one time to the next. By default 20; where all lanes have the
            same times, which are then read, 20 in an interval of median length, and in others as
            many as keep the steps' length.
        rtol: Relative tolerance of the methods that choose their steps.
        atol: Their absolute tolerance.

    Returns:
        The solution, (..., T, *event). It is not finite where the equation has none that far.

    Raises:
        ValueError: If there is no such method.
    """
    counts = None if method in ADAPTIVE else _counts(start, times, steps)
    like = {"dtype": state.dtype, "device": state.device}
    times, start = torch.as_tensor(times, **like), torch.as_tensor(start, **like)
    ranks = list(event_dims)
    values = [state, *arguments]
    batches = [v.shape[: v.dim() - rank] for v, rank in zip(values, ranks, strict=True)]
    lanes = torch.broadcast_shapes(*batches, times.shape[:-1], start.shape)
    count = math.prod(lanes)

    starts, widths, ends = _intervals(start, times, counts)
    by_lane = [t.expand((*lanes, t.shape[-1])).reshape(count, -1).mT for t in (starts, widths)]
    shared = tuple(_is_shared(v, b) for v, b in zip(arguments, batches[1:], strict=True))
    given = [
        v.reshape(v.shape[v.dim() - rank :]) if one else _spread(v, lanes, rank)
        for v, rank, one in zip(values, ranks, (False, *shared), strict=True)
    ]
    number = number_of(
        (*_identity(derivative), method, rtol, atol),
        lambda: _solver(derivative, method, rtol, atol),
    )
    solution = Solution.apply(number, shared, given[0].contiguous(), *by_lane, *given[1:])
    wanted = solution if ends is None else solution[ends]
    whole: Tensor = wanted.movedim(0, 1).reshape(
        *lanes, times.shape[-1], *state.shape[state.dim() - ranks[0] :]
    )
    return whole


def _solver(derivative: Derivative, method: str, rtol: float, atol: float) -> Any:
    if method in TABLEAUX:
        return FixedSteps(Steps(derivative, TABLEAUX[method]))
    if method in ADAPTIVE:
        return Adaptive(derivative, ADAPTIVE[method], rtol, atol)
    known = ", ".join((*TABLEAUX, *ADAPTIVE))
    raise ValueError(f"there is no method {method!r} for differential equations; take {known}")


def _identity(derivative: Derivative) -> tuple[Any, ...]:
    """What tells one derivative from another; a partial function is made anew for each call."""
    if isinstance(derivative, partial):
        return derivative.func, derivative.args, tuple(sorted(derivative.keywords.items()))
    return derivative, (), ()


def _is_shared(value: Tensor, batch: Sequence[int]) -> bool:
    return not value.requires_grad and math.prod(batch) == 1 and value.numel() >= _LARGE


def _spread(value: Tensor, lanes: Sequence[int], rank: int) -> Tensor:
    """A value of each lane, (B, *event)."""
    event = value.shape[value.dim() - rank :]
    return value.expand((*lanes, *event)).reshape(math.prod(lanes), *event)


def _intervals(
    start: Tensor, times: Tensor, counts: Sequence[int] | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The intervals to be stepped over.

    Args:
        start: When the first begins, (...).
        times: When each interval between times ends, (..., T).
        counts: In how many steps each is taken; None for one that a solver divides.

    Returns:
        When each step begins and how long it is, (..., G), and after which ones a time is
        reached; None for all.
    """
    batch = torch.broadcast_shapes(start.shape, times.shape[:-1])
    times = times.expand((*batch, times.shape[-1]))
    before = torch.cat([start.expand(batch).unsqueeze(-1), times[..., :-1]], -1)
    widths = times - before
    if counts is None:
        return before, widths, None
    interval = torch.tensor([i for i, n in enumerate(counts) for _ in range(n)])
    part = torch.tensor([j / n for n in counts for j in range(n)], dtype=times.dtype)
    number = torch.tensor([n for n in counts for _ in range(n)], dtype=times.dtype)
    interval, part, number = (v.to(times.device) for v in (interval, part, number))
    whole = widths[..., interval]
    ends = torch.tensor(counts, device=times.device).cumsum(0) - 1
    return before[..., interval] + part * whole, whole / number, ends


def _counts(start: Tensor | float, times: Tensor, steps: int | None) -> list[int]:
    """How many steps each interval gets; those of many lanes get the same number each."""
    if steps is not None or times.dim() > 1 or (isinstance(start, Tensor) and start.dim()):
        return [steps or STEPS] * times.shape[-1]
    edges = [float(start), *times.tolist()]
    lengths = [abs(end - begin) for begin, end in pairwise(edges)]
    usual = statistics.median([length for length in lengths if length] or [1.0])
    return [min(max(math.ceil(STEPS * n / usual - 1e-9), 1), _MOST * STEPS) for n in lengths]
