"""Curves through and over data: linear interpolation, and bases of splines."""

from __future__ import annotations

import torch
from torch import Tensor


def interpolate(at: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """Interpolate between the points of a table, with its ends' values beyond them.

    Written as a sum of ramps, which has no search in it and so compiles.

    Args:
        at: Where, (...).
        places: The places of the table, increasing, (..., n).
        values: Its values, (..., n).
    """
    ramps = (at.unsqueeze(-1) - places[..., :-1]) / (places[..., 1:] - places[..., :-1])
    rises = values[..., 1:] - values[..., :-1]
    return values[..., 0] + (ramps.clamp(0.0, 1.0) * rises).sum(-1)


def bspline(x: Tensor, count: int, of: Tensor | None = None, degree: int = 3) -> Tensor:
    """The values of B-splines by the recursion of Cox and de Boor (de Boor, 1978).

    Args:
        x: Where, (n,); what lies outside the range of the knots is taken to its end.
        count: How many splines.
        of: Data whose quantiles, evenly spaced, are the inner knots, and whose range is that of
            the splines; `x` itself if not given.
        degree: Of the polynomials; less where there are too few splines for it.

    Returns:
        Their values, (n, count); each row sums to 1.
    """
    of, degree = x if of is None else of, min(degree, count - 1)
    inner = torch.linspace(0, 1, count - degree + 1, dtype=of.dtype, device=of.device)
    breaks = torch.quantile(of, inner)
    knots = torch.cat([breaks[:1].repeat(degree), breaks, breaks[-1:].repeat(degree)])
    at = x.clamp(breaks[0], breaks[-1]).unsqueeze(-1)
    last = knots[:-1] < knots[-1]
    last &= knots[1:] == knots[-1]  # the last interval holds its right end, too
    basis = ((knots[:-1] <= at) & ((at < knots[1:]) | last)).to(x.dtype)
    for order in range(1, degree + 1):
        below, above = knots[:-order], knots[order:]
        width = above - below
        rise = torch.where(width > 0, (at - below) / torch.where(width > 0, width, 1.0), 0.0)
        fall = torch.where(width > 0, 1.0 - rise, 0.0)
        basis = rise[:, :-1] * basis[:, :-1] + fall[:, 1:] * basis[:, 1:]
    return basis
