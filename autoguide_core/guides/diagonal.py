"""`AutoDiagonalNormal`: an independent Normal for each entry of the packed vector."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
from torch import Tensor

from autoguide_core.guides.loc_scale import LocScaleGuide
from autoguide_core.guides.noise import NoiseScoredNormal


class AutoDiagonalNormal(LocScaleGuide):
    """A Normal guide with a diagonal covariance over the packed unconstrained vector.

    It is the same family as `AutoNormal`, with two parameters in all instead of two a site.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the location.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.

    Attributes:
        loc: The location, shape (D,).
        scale: Positive, shape (D,).
    """

    def get_transform(self, *args: Any, **kwargs: Any) -> Any:
        """The elementwise affine transform by the location and the scale."""
        return dist.transforms.AffineTransform(self.loc, self.scale)

    def get_posterior(self, *args: Any, **kwargs: Any) -> Any:
        """The diagonal Normal, event shape (D,)."""
        return NoiseScoredNormal(self.loc, self.scale).to_event(1)

    def _loc_scale(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.loc, self.scale
