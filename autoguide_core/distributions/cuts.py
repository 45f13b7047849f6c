"""Probabilities of the parts into which a bound cuts a distribution."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from autoguide_core.distributions.tails import parameter_of, tails
from autoguide_core.functions.special import LOG_2, log1m_exp

LogTails = tuple[Tensor, Tensor]
"""The logarithms of the probability below a point and of that above it."""


def base_edges(base: Any) -> tuple[Any, Any]:
    """Return the ends of a distribution's support, as it states them; None: no end."""
    support = base.support
    return getattr(support, "lower_bound", None), getattr(support, "upper_bound", None)


def log_tails_below(base: Any, bound: Tensor) -> LogTails:
    """Return the log probabilities below and above a bound from which on values count.

    On the support's own lower edge and beyond it they are (-inf, 0), and nothing is evaluated
    there, as the gradient would not be finite.
    """
    least, _ = base_edges(base)
    return _log_tails(base, bound, None if least is None else bound > least, (-math.inf, 0.0))


def log_tails_above(base: Any, bound: Tensor) -> LogTails:
    """Return the same for a bound up to which values count; (0, -inf) on the upper edge."""
    _, most = base_edges(base)
    return _log_tails(base, bound, None if most is None else bound < most, (0.0, -math.inf))


def _log_tails(
    base: Any, bound: Tensor, cuts: Tensor | None, otherwise: tuple[float, float]
) -> LogTails:
    functions = tails(base)
    if cuts is None:
        return functions.log_cdf(bound), functions.log_sf(bound)
    with torch.no_grad():
        middle = functions.inside
        if middle is None:
            shape = torch.broadcast_shapes(bound.shape, base.batch_shape)
            middle = functions.from_log_cdf(parameter_of(base).new_full(shape, -LOG_2))
    point = torch.where(cuts, bound, middle)
    return (
        torch.where(cuts, functions.log_cdf(point), otherwise[0]),
        torch.where(cuts, functions.log_sf(point), otherwise[1]),
    )


def log_between(lower: LogTails, upper: LogTails) -> Tensor:
    """Return the log probability between two points, from whichever tail is the smaller."""
    (cdf_lower, sf_lower), (cdf_upper, sf_upper) = lower, upper
    above = sf_lower < cdf_lower  # the interval lies in the upper tail
    larger = torch.where(above, sf_lower, cdf_upper)
    smaller = torch.where(above, sf_upper, cdf_lower)
    return larger + log1m_exp(smaller - larger)
