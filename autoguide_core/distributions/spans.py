"""The interval that holds a distribution's values, and the one that holds those of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

_from = type(constraints.nonnegative_integer)

Bound: TypeAlias = float | Tensor | None


@dataclass(frozen=True)
class Span:
    """An interval of numbers.

    Attributes:
        lower: Its lower end; None: there is none.
        upper: Its upper end, likewise.
        discrete: Whether only whole numbers are meant.
    """

    lower: Bound
    upper: Bound
    discrete: bool

    def join(self, other: Span) -> Span:
        """Return the least interval around both."""
        return Span(
            _further(self.lower, other.lower, min, torch.minimum),
            _further(self.upper, other.upper, max, torch.maximum),
            self.discrete and other.discrete,
        )

    def over_last(self) -> Span:
        """Return the least interval around those along the last dim."""
        lower, upper = self.lower, self.upper
        return Span(
            lower.amin(-1) if isinstance(lower, Tensor) and lower.dim() else lower,
            upper.amax(-1) if isinstance(upper, Tensor) and upper.dim() else upper,
            self.discrete,
        )

    def same(self, other: Span) -> bool:
        """Tell whether two intervals are known to be the same without a look at tensors."""
        ends = (self.lower, self.upper, other.lower, other.upper)
        plain = not any(isinstance(end, Tensor) for end in ends)
        return plain and ends[:2] == ends[2:]

    def inner(self) -> float | Tensor:
        """Return a number inside, where densities are finite."""
        if self.lower is not None and self.upper is not None:
            return self.lower if self.discrete else (self.lower + self.upper) / 2
        if self.lower is not None:
            return self.lower + 1
        return self.upper - 1 if self.upper is not None else 0.0


def span_of(distribution: TorchDistribution) -> Span:
    """Return the interval that holds a distribution's values; a point counts as whole."""
    if isinstance(distribution, dist.Delta):
        value = getattr(distribution, "number", distribution.v)
        return Span(value, value, discrete=True)
    support = distribution.support
    if support is constraints.boolean:
        return Span(0, 1, discrete=True)
    lower, upper = (getattr(support, f"{end}_bound", None) for end in ("lower", "upper"))
    return Span(lower, upper, bool(support.is_discrete))


def support_over(span: Span) -> constraints.Constraint:
    """Return the numbers in an interval."""
    lower, upper = span.lower, span.upper
    if span.discrete:
        if lower is not None and upper is not None:
            return constraints.integer_interval(lower, upper)
        return constraints.integer if lower is None else _from(lower)
    if lower is not None and upper is not None:
        return constraints.interval(lower, upper)
    if lower is not None:
        return constraints.greater_than_eq(lower)
    return constraints.real if upper is None else constraints.less_than(upper)


def _further(
    one: Bound,
    other: Bound,
    plain: Callable[[float, float], float],
    choose: Callable[[Tensor, Tensor], Tensor],
) -> Bound:
    """Return the end that lies further out."""
    if one is None or other is None:
        return None
    if not isinstance(one, Tensor) and not isinstance(other, Tensor):
        return plain(one, other)
    like = one if isinstance(one, Tensor) else other
    assert isinstance(like, Tensor)
    return choose(torch.as_tensor(one).to(like), torch.as_tensor(other).to(like))
