"""`AutoMultivariateNormal`: a full-rank Normal over the packed unconstrained vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import Tensor, nn

from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.noise import NoiseScoredMultivariateNormal
from autoguide_core.guides.normal import positive_init_scale
from autoguide_core.initialization import InitStrategy, init_to_median


class AutoMultivariateNormal(AutoContinuous):
    """A Normal guide with a dense covariance, held as a scaled Cholesky factor.

    The Cholesky factor of the covariance is ``scale[:, None] * scale_tril`` with a unit lower
    triangular ``scale_tril``; it starts at ``init_scale`` times the identity.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the location.
        init_scale: The initial scale in unconstrained space.

    Attributes:
        loc: The location, shape (D,).
        scale: Positive, shape (D,).
        scale_tril: Unit lower triangular, shape (D, D).
    """

    scale_constraint = constraints.softplus_positive
    scale_tril_constraint = constraints.unit_lower_cholesky

    def __init__(
        self,
        model: Callable[..., Any],
        init_loc_fn: InitStrategy = init_to_median,
        init_scale: float = 0.1,
    ) -> None:
        self._init_scale = positive_init_scale(init_scale)
        super().__init__(model, init_loc_fn=init_loc_fn)

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        loc = self._init_loc()
        self.loc = nn.Parameter(loc)
        self.scale = PyroParam(torch.full_like(loc, self._init_scale), self.scale_constraint)
        identity = torch.eye(self.latent_dim, dtype=loc.dtype, device=loc.device)
        self.scale_tril = PyroParam(identity, self.scale_tril_constraint)

    def _cholesky(self) -> Tensor:
        return self.scale[..., None] * self.scale_tril

    def get_base_dist(self) -> Any:
        """A standard Normal of event shape (D,)."""
        loc = self.loc
        return dist.Normal(torch.zeros_like(loc), torch.ones_like(loc)).to_event(1)

    def get_transform(self, *args: Any, **kwargs: Any) -> Any:
        """The affine transform by the location and the Cholesky factor."""
        return dist.transforms.LowerCholeskyAffine(self.loc, scale_tril=self._cholesky())

    def get_posterior(self, *args: Any, **kwargs: Any) -> Any:
        """The multivariate Normal, which scores its own draws without a triangular solve."""
        return NoiseScoredMultivariateNormal(self.loc, scale_tril=self._cholesky())

    def _loc_scale(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.loc, self._cholesky().square().sum(-1).sqrt()
