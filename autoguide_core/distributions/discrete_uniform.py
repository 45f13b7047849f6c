"""Whole numbers between two bounds, all alike."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor


class DiscreteUniform(TorchDistribution):
    """The whole numbers from `low` to `high`, both included, each with the same probability.

    Args:
        low: Least value, a single number.
        high: Greatest value, a single number.
        validate_args: As in every distribution.

    Raises:
        ValueError: If the bounds are out of order.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    has_enumerate_support = True

    def __init__(
        self, low: float | Tensor, high: float | Tensor, validate_args: bool | None = None
    ) -> None:
        self.low, self.high = int(low), int(high)
        if self.low > self.high:
            raise ValueError("The bounds of DiscreteUniform are out of order")
        super().__init__(torch.Size(), torch.Size(), validate_args=validate_args)

    def _current_support(self) -> constraints.Constraint:
        """The whole numbers between the bounds."""
        return constraints.integer_interval(self.low, self.high)

    support = constraints.dependent_property(_current_support, is_discrete=True, event_dim=0)

    @property
    def mean(self) -> Tensor:
        """The middle."""
        return torch.full(self.batch_shape, (self.low + self.high) / 2)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> DiscreteUniform:
        """Return the distribution with a larger batch shape."""
        new: DiscreteUniform = self._get_checked_instance(DiscreteUniform, _instance)
        new.low, new.high = self.low, self.high
        super(DiscreteUniform, new).__init__(
            torch.Size(batch_shape), torch.Size(), validate_args=False
        )
        new._validate_args = self._validate_args
        return new

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all values, in order."""
        values = torch.arange(float(self.low), self.high + 1.0)
        values = values.reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values

    def log_prob(self, value: Tensor) -> Tensor:
        """Return minus the logarithm of how many values there are; -inf outside."""
        if self._validate_args:
            self._validate_sample(value)
        inside = (value >= self.low) & (value <= self.high)
        shape = torch.broadcast_shapes(value.shape, self.batch_shape)
        each = value.new_full(shape, -math.log(self.high - self.low + 1))
        return torch.where(inside, each, -math.inf)

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws."""
        shape = self._extended_shape(sample_shape)
        return torch.randint(self.low, self.high + 1, shape).to(torch.get_default_dtype())
