"""Counts cut off at bounds: renormalised, or as they are, to be summed over."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

from autoguide_core.distributions.cuts import log_between
from autoguide_core.distributions.rejection import draw_between
from autoguide_core.distributions.tails import parameter_of
from autoguide_core.distributions.tails_counts import count_tails

_DOUBLINGS = 50

_from = type(constraints.nonnegative_integer)
"""The constraint of the whole numbers from a bound on, which PyTorch has without a public name."""


class TruncatedCounts(TorchDistribution):
    """Counts, given that they lie between bounds, both of which are included.

    `TruncatedCounts(Poisson(rate), lower=1)` is the zero-truncated Poisson distribution. The
    denominator is computed, in logarithms, from whichever tail is the smaller.

    Args:
        base: Poisson, NegativeBinomial, GammaPoisson, Geometric or Binomial.
        lower: Least count; a number, or a tensor that broadcasts; None: 0.
        upper: Greatest count; as `lower`; None: no bound. With a number, the distribution can be
            enumerated.
        validate_args: As in every distribution.

    Raises:
        ValueError: If the base's tails are not known, or the bounds are out of order.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(
        self,
        base: TorchDistribution,
        lower: float | Tensor | None = None,
        upper: float | Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        count_tails(base)  # tells at once whether the base has what it takes
        like = parameter_of(base)
        bounds = [b if b is None else torch.as_tensor(b).to(like) for b in (lower, upper)]
        shape = torch.broadcast_shapes(
            base.batch_shape, *(bound.shape for bound in bounds if bound is not None)
        )
        self.base_dist = base.expand(shape)
        self.lower, self.upper = (b if b is None else b.expand(shape) for b in bounds)
        self._most = int(upper) if isinstance(upper, int | float) else None
        super().__init__(torch.Size(shape), torch.Size(), validate_args=validate_args)
        if self._validate_args and not self._in_order():
            raise ValueError("The bounds of TruncatedCounts are out of order")

    def _in_order(self) -> bool:
        if self.lower is None or self.upper is None:
            return True
        return bool((self.lower <= self.upper).all())

    def _current_support(self) -> constraints.Constraint:
        """The whole numbers between the bounds."""
        least = 0 if self.lower is None else self.lower.clamp(min=0)
        if self.upper is None:
            return _from(least)
        return constraints.integer_interval(least, self.upper)

    support = constraints.dependent_property(_current_support, is_discrete=True, event_dim=0)

    @property
    def has_enumerate_support(self) -> bool:
        """Whether the values can be listed: if the upper bound is a number."""
        return self._most is not None

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return 0, 1, … up to the upper bound; those below the lower one have no density."""
        if self._most is None:
            raise NotImplementedError("counts without an upper bound cannot be listed")
        values = torch.arange(1.0 + self._most, dtype=parameter_of(self.base_dist).dtype)
        values = values.reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> TruncatedCounts:
        """Return the distribution with a larger batch shape."""
        new: TruncatedCounts = self._get_checked_instance(type(self), _instance)
        shape = torch.Size(batch_shape)
        new.base_dist = self.base_dist.expand(shape)
        new.lower = None if self.lower is None else self.lower.expand(shape)
        new.upper = None if self.upper is None else self.upper.expand(shape)
        new._most = self._most
        super(TruncatedCounts, new).__init__(shape, torch.Size(), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log probability of a count; minus infinity outside the bounds."""
        inside = torch.ones_like(value, dtype=torch.bool)
        if self.lower is not None:
            inside = inside & (value >= self.lower)
        if self.upper is not None:
            inside = inside & (value <= self.upper)
        return torch.where(inside, self.base_dist.log_prob(value) - self._log_mass(), -math.inf)

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws."""
        return draw_between(
            self.base_dist,
            torch.Size(sample_shape),
            self.lower,
            self.upper,
            lambda: self._quantiles(self._extended_shape(sample_shape)),
        )

    def _quantiles(self, shape: torch.Size) -> Tensor:
        """Return the least counts whose probability reaches uniform variables, by bisection."""
        functions = count_tails(self.base_dist)
        like = parameter_of(self.base_dist)
        low = like.new_full(shape, -1.0)
        if self.lower is not None:
            low = low + self.lower
        mass = self._log_mass() + torch.log(torch.rand_like(low))
        target = torch.logaddexp(functions.log_at_most(low), mass)
        high = low.clamp(min=0) + 1
        for _ in range(_DOUBLINGS):
            high = torch.where(functions.log_at_most(high) < target, 2 * high + 1, high)
            high = high if self.upper is None else torch.minimum(high, self.upper)
        for _ in range(_DOUBLINGS):
            middle = torch.floor((low + high) / 2)
            reached = functions.log_at_most(middle) >= target
            low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
        return high

    def _log_mass(self) -> Tensor:
        """Return the log of the base's probability between the bounds."""
        functions = count_tails(self.base_dist)
        like = parameter_of(self.base_dist)
        below = (like.new_tensor(-math.inf), like.new_zeros(()))
        if self.lower is not None:
            below = functions.log_at_most(self.lower - 1), functions.log_above(self.lower - 1)
        if self.upper is None:
            return below[1]
        above = functions.log_at_most(self.upper), functions.log_above(self.upper)
        return log_between(below, above)


class Bounded(TorchDistribution):
    """Counts that are listed up to a bound, with the probabilities that they have without it.

    It makes a count enumerable: what lies above `upper` is left out of the sum, so `upper` is to
    be beyond everything likely.

    Args:
        base: A distribution of counts.
        upper: The greatest count that is listed.
        validate_args: As in every distribution.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    has_enumerate_support = True

    def __init__(
        self, base: TorchDistribution, upper: int, validate_args: bool | None = None
    ) -> None:
        self.base_dist = base
        self.upper = int(upper)
        super().__init__(base.batch_shape, torch.Size(), validate_args=validate_args)

    def _current_support(self) -> constraints.Constraint:
        """The whole numbers from 0 to the bound."""
        return constraints.integer_interval(0, self.upper)

    support = constraints.dependent_property(_current_support, is_discrete=True, event_dim=0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return 0, 1, … up to the bound."""
        values = torch.arange(1.0 + self.upper, dtype=parameter_of(self.base_dist).dtype)
        values = values.reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Bounded:
        """Return the distribution with a larger batch shape."""
        new: Bounded = self._get_checked_instance(Bounded, _instance)
        new.base_dist = self.base_dist.expand(torch.Size(batch_shape))
        new.upper = self.upper
        super(Bounded, new).__init__(torch.Size(batch_shape), torch.Size(), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the base's log probability."""
        return self.base_dist.log_prob(value)

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws of the base, held to the bound."""
        return self.base_dist.sample(sample_shape).clamp(max=self.upper)
