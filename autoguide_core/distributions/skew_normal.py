"""The skew normal distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor
from torch.distributions.utils import broadcast_all

from autoguide_core.functions.special import log_normal_cdf


class SkewNormal(TorchDistribution):
    """A normal density times twice the normal distribution function of `skew` times its variable.

    A. Azzalini (1985), "A class of distributions which includes the normal ones", Scandinavian
    Journal of Statistics 12.

    Args:
        loc: Location; the mean and the mode where `skew` is 0.
        scale: Scale.
        skew: 0 is the normal distribution, large values near a half-normal one.
        validate_args: As in every distribution.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "skew": constraints.real,
    }
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        loc: float | Tensor,
        scale: float | Tensor,
        skew: float | Tensor,
        validate_args: bool | None = None,
    ) -> None:
        self.loc, self.scale, self.skew = broadcast_all(loc, scale, skew)
        super().__init__(self.loc.shape, torch.Size(), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.loc + self.scale * self._share * math.sqrt(2 / math.pi)

    @property
    def _share(self) -> Tensor:
        """The correlation of the variable with the half-normal one that skews it."""
        return self.skew / torch.sqrt(1 + self.skew**2)

    def expand(self, batch_shape: torch.Size, _instance: Any = None) -> SkewNormal:
        """Return the distribution with a larger batch shape."""
        new: SkewNormal = self._get_checked_instance(SkewNormal, _instance)
        shape = torch.Size(batch_shape)
        new.loc, new.scale = self.loc.expand(shape), self.scale.expand(shape)
        new.skew = self.skew.expand(shape)
        super(SkewNormal, new).__init__(shape, torch.Size(), validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log density."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        normal = -0.5 * z**2 - torch.log(self.scale) - 0.5 * math.log(2 * math.pi)
        return math.log(2) + normal + log_normal_cdf(self.skew * z)

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        """Return draws: a half-normal variable and a normal one, weighted by their shares."""
        shape = self._extended_shape(sample_shape)
        half = torch.randn_like(self.loc.expand(shape)).abs()
        other = torch.randn_like(half)
        z = self._share * half + other / torch.sqrt(1 + self.skew**2)
        return self.loc + self.scale * z
