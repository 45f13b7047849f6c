"""Location and scale of a site's prior in unconstrained space: one row for each distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor


@dataclass(frozen=True)
class LocationScale:
    """The prior of a site's unconstrained value, as far as a location and a scale tell it.

    Attributes:
        loc: Broadcasts with the unconstrained value.
        scale: Broadcasts with it, positive; or for a vector with a covariance between its entries
            the lower Cholesky factor, whose last two dims are those of the vector.
        is_factor: Whether ``scale`` is such a factor.
    """

    loc: Tensor
    scale: Tensor
    is_factor: bool = False

    @property
    def depends_on_latents(self) -> bool:
        """Whether a gradient flows into it, in a run with latents that ask for one."""
        return bool(self.loc.requires_grad or self.scale.requires_grad)


def location_scale(fn: Any) -> LocationScale | None:
    """The location and scale of a distribution in unconstrained space.

    On the positive half-line that is the scale of logarithms: a prior that is stretched by a
    factor is moved there.

    Args:
        fn: A distribution of Pyro.

    Returns:
        They, or None for a distribution that is not of such a family.
    """
    while isinstance(fn, (dist.Independent, dist.ExpandedDistribution)):
        fn = fn.base_dist
    for family, row in _ROWS.items():
        if type(fn) is family:
            return row(fn)
    return None


def _as_they_are(fn: Any) -> LocationScale:
    return LocationScale(fn.loc, fn.scale)


def _stretched_by(fn: Any) -> LocationScale:
    return LocationScale(fn.scale.log(), torch.ones_like(fn.scale))


_ROWS: dict[type, Callable[[Any], LocationScale]] = {
    dist.Normal: _as_they_are,
    dist.LogNormal: _as_they_are,
    dist.StudentT: _as_they_are,
    dist.Cauchy: _as_they_are,
    dist.Laplace: _as_they_are,
    dist.Logistic: _as_they_are,
    dist.Gumbel: _as_they_are,
    dist.HalfNormal: _stretched_by,
    dist.HalfCauchy: _stretched_by,
    dist.Exponential: lambda fn: LocationScale(-fn.rate.log(), torch.ones_like(fn.rate)),
    dist.Weibull: lambda fn: LocationScale(fn.scale.log(), 1.0 / fn.concentration),
    dist.Gamma: lambda fn: LocationScale(
        fn.concentration.log() - fn.rate.log(), fn.concentration.rsqrt()
    ),
    dist.InverseGamma: lambda fn: LocationScale(
        fn.rate.log() - fn.concentration.log(), fn.concentration.rsqrt()
    ),
    dist.MultivariateNormal: lambda fn: LocationScale(fn.loc, fn.scale_tril, is_factor=True),
}
