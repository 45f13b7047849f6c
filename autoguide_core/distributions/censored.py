"""Values of which it is known only that they lie beyond, or between, what was recorded."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

from autoguide_core.distributions.cuts import log_between, log_tails_above, log_tails_below
from autoguide_core.distributions.tails import parameter_of, tails
from autoguide_core.distributions.tails_counts import count_tails
from autoguide_core.functions.special import LOG_2

_PARTS = ("lower", "upper", "left", "right", "until")


class Censored(TorchDistribution):
    """A distribution of values that were recorded in part only.

    A recorded value x counts, entry by entry, as

    - P(X <= x) where x is censored from the left: where `left` is not 0, or x <= `lower`, in which
      case it counts as `lower`;
    - P(X >= x) where it is censored from the right: where `right` is not 0, or x >= `upper`, in
      which case it counts as `upper`;
    - P(x < X <= until) where `until` is greater than x;
    - the base's density at x elsewhere.

    With a discrete base P(X >= x) has x itself in it. Draws are those of the base, held to `lower`
    and `upper`; the indicators have no part in them, so that replicates of times are times of
    events.

    Args:
        base: A distribution of single numbers whose tails are known (see `tails` and
            `count_tails`).
        lower: Detection limit below; a number or a tensor that broadcasts; None: none.
        upper: Detection limit above.
        left: Where a value is censored from the left; booleans or numbers.
        right: Where a value is censored from the right; the same.
        until: The end of the interval that begins at the value.
        validate_args: As in every distribution.

    Raises:
        ValueError: If the base's tails are not known.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(
        self,
        base: TorchDistribution,
        lower: float | Tensor | None = None,
        upper: float | Tensor | None = None,
        left: Tensor | None = None,
        right: Tensor | None = None,
        until: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._discrete = bool(base.support.is_discrete)
        if self._discrete:
            count_tails(base)
        else:
            tails(base)
        like = parameter_of(base)
        given = dict(zip(_PARTS, (lower, upper, left, right, until), strict=True))
        parts = {name: torch.as_tensor(p).to(like) for name, p in given.items() if p is not None}
        shape = torch.broadcast_shapes(base.batch_shape, *(part.shape for part in parts.values()))
        self.base_dist = base.expand(shape)
        self._parts = {name: part.expand(shape) for name, part in parts.items()}
        super().__init__(torch.Size(shape), torch.Size(), validate_args=validate_args)

    def _current_support(self) -> constraints.Constraint:
        """The base's support; all numbers where limits may stand in for values."""
        if "lower" in self._parts or "upper" in self._parts:
            return constraints.integer if self._discrete else constraints.real
        return self.base_dist.support

    support = constraints.dependent_property(_current_support, event_dim=0)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Censored:
        """Return the distribution with a larger batch shape."""
        new: Censored = self._get_checked_instance(Censored, _instance)
        shape = torch.Size(batch_shape)
        new._discrete = self._discrete
        new.base_dist = self.base_dist.expand(shape)
        new._parts = {name: part.expand(shape) for name, part in self._parts.items()}
        super(Censored, new).__init__(shape, torch.Size(), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density, or the log probability of what is known of a value."""
        parts = self._parts
        left = right = torch.zeros_like(value, dtype=torch.bool)
        if "left" in parts:
            left = left | (parts["left"] != 0)
        if "right" in parts:
            right = right | (parts["right"] != 0)
        if "lower" in parts:
            left = left | (value <= parts["lower"])
            value = torch.maximum(value, parts["lower"])
        if "upper" in parts:
            right = right | (value >= parts["upper"])
            value = torch.minimum(value, parts["upper"])
        between = torch.zeros_like(left)
        if "until" in parts:
            between = parts["until"] > value
        found = self.base_dist.log_prob(self._inside(value, left | right | between))
        if "until" in parts:
            end = torch.where(between, parts["until"], value + 1)
            found = torch.where(between, self._log_between(value, end), found)
        if "left" in parts or "lower" in parts:
            found = torch.where(left, self._log_at_most(value), found)
        if "right" in parts or "upper" in parts:
            found = torch.where(right, self._log_at_least(value), found)
        return found

    def _inside(self, value: Tensor, censored: Tensor) -> Tensor:
        """Return values with a harmless one in place of those that are censored.

        One of these may lie on the edge of the support, where the density has no finite gradient.
        """
        if self._discrete:
            return value
        functions = tails(self.base_dist)
        with torch.no_grad():
            like = parameter_of(self.base_dist)
            middle = functions.inside
            if middle is None:
                middle = functions.from_log_cdf(like.new_full(self.batch_shape, -LOG_2))
        return torch.where(censored, middle, value)

    def _log_at_most(self, value: Tensor) -> Tensor:
        if self._discrete:
            return count_tails(self.base_dist).log_at_most(value)
        return log_tails_above(self.base_dist, value)[0]

    def _log_at_least(self, value: Tensor) -> Tensor:
        if self._discrete:
            return count_tails(self.base_dist).log_above(value - 1)
        return log_tails_below(self.base_dist, value)[1]

    def _log_between(self, value: Tensor, end: Tensor) -> Tensor:
        if self._discrete:
            counts = count_tails(self.base_dist)
            lower = counts.log_at_most(value), counts.log_above(value)
            return log_between(lower, (counts.log_at_most(end), counts.log_above(end)))
        return log_between(
            log_tails_below(self.base_dist, value), log_tails_above(self.base_dist, end)
        )

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws of the base, held to the detection limits."""
        drawn = self.base_dist.sample(sample_shape)
        if "lower" in self._parts:
            drawn = torch.maximum(drawn, self._parts["lower"])
        if "upper" in self._parts:
            drawn = torch.minimum(drawn, self._parts["upper"])
        return drawn
