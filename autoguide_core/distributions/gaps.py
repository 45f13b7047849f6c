"""A distribution of data in which some values are missing."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

from autoguide_core.gaps import is_gap


class Gaps(TorchDistribution):
    """Another distribution, by which missing values (NaN, or -1 in an index) count nothing.

    To leave missing values out is to integrate over them, if nothing else depends on them. Draws
    have no gaps, so that a replicate of the data imputes what is missing.

    Args:
        base: A distribution of single numbers.
        validate_args: As in every distribution.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(self, base: TorchDistribution, validate_args: bool | None = None) -> None:
        self.base_dist = base.expand(base.batch_shape)
        self.base_dist._validate_args = False  # a stand-in may be none of its values
        super().__init__(base.batch_shape, base.event_shape, validate_args=validate_args)

    def _current_support(self) -> constraints.Constraint:
        return self.base_dist.support

    support = constraints.dependent_property(_current_support, event_dim=0)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> Gaps:
        """Return the distribution with a larger batch shape."""
        return Gaps(self.base_dist.expand(torch.Size(batch_shape)), self._validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the base's log density, and 0 for missing values."""
        gaps = is_gap(value)
        # What stands in for them has to have a finite density: the least value that there is.
        beyond = math.inf if value.is_floating_point() else torch.iinfo(value.dtype).max
        least = torch.where(gaps, beyond, value).amin()
        least = torch.where(least == beyond, 0.5, least).to(value.dtype)
        filled = torch.where(gaps, least, value)
        if self._validate_args and not (self.support.check(filled) | gaps).all():
            raise ValueError(f"a value is outside the support {self.support} of the distribution")
        return torch.where(gaps, 0.0, self.base_dist.log_prob(filled))

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws of the base."""
        return self.base_dist.sample(sample_shape)
