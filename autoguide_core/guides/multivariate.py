"""`AutoMultivariateNormal`: a full-rank Normal over the packed unconstrained vector."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import Tensor

from autoguide_core.guides.loc_scale import LocScaleGuide
from autoguide_core.guides.noise import NoiseScoredMultivariateNormal


class AutoMultivariateNormal(LocScaleGuide):
    """A Normal guide with a dense covariance, held as a scaled Cholesky factor.

    The Cholesky factor of the covariance is ``scale[:, None] * scale_tril`` with a unit lower
    triangular ``scale_tril``; it starts at ``init_scale`` on the diagonal.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the location.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.

    Attributes:
        loc: The location, shape (D,).
        scale: Positive, shape (D,).
        scale_tril: Unit lower triangular, shape (D, D).
    """

    scale_tril_constraint = constraints.unit_lower_cholesky

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        loc = self.loc
        identity = torch.eye(self.latent_dim, dtype=loc.dtype, device=loc.device)
        self.scale_tril = PyroParam(identity, self.scale_tril_constraint)

    def _cholesky(self) -> Tensor:
        return self.scale[..., None] * self.scale_tril

    def get_transform(self, *args: Any, **kwargs: Any) -> Any:
        """The affine transform by the location and the Cholesky factor."""
        return dist.transforms.LowerCholeskyAffine(self.loc, scale_tril=self._cholesky())

    def get_posterior(self, *args: Any, **kwargs: Any) -> Any:
        """The multivariate Normal, which scores its own draws without a triangular solve."""
        # Not validated: the draw is, and that check names the site.
        return NoiseScoredMultivariateNormal(
            self.loc, scale_tril=self._cholesky(), validate_args=False
        )

    def _loc_scale(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.loc, self._cholesky().square().sum(-1).sqrt()
