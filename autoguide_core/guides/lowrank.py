"""`AutoLowRankMultivariateNormal`: a Normal with a low-rank plus diagonal covariance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import Tensor, nn

from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.divergence import tell_spoilt
from autoguide_core.guides.scales import (
    DEFAULT_SCALE,
    InitScale,
    checked_init_scale,
    packed_init_scale,
)
from autoguide_core.initialization import InitStrategy, init_to_median


class AutoLowRankMultivariateNormal(AutoContinuous):
    """A Normal guide whose covariance is a diagonal plus a matrix of low rank.

    With ``W = scale[:, None] * cov_factor`` the covariance is ``W W' + diag(scale ** 2)``. The
    factor starts at random, so that both terms hold half of the variance ``init_scale ** 2``.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the location.
        init_scale: The approximate initial marginal scale in unconstrained space; or scales by site
            name, 0.1 for the rest.
        rank: The rank R of the factor; by default the root of D, rounded.

    Attributes:
        loc: The location, shape (D,).
        scale: Positive, shape (D,).
        cov_factor: Shape (D, R).
        rank: The rank R.
    """

    scale_constraint = constraints.softplus_positive

    def __init__(
        self,
        model: Callable[..., Any],
        init_loc_fn: InitStrategy = init_to_median,
        init_scale: InitScale = DEFAULT_SCALE,
        rank: int | None = None,
    ) -> None:
        if rank is not None and not (isinstance(rank, int) and rank > 0):
            raise ValueError(f"Expected rank > 0 but got {rank!r}; it must be an integer.")
        self._init_scale = checked_init_scale(init_scale)
        self.rank = rank
        super().__init__(model, init_loc_fn=init_loc_fn)

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        if self.rank is None:
            self.rank = round(self.latent_dim**0.5)
        loc = self._init_loc()
        self.loc = nn.Parameter(loc)
        scale = packed_init_scale(self._init_scale, self._unconstrained_shapes, loc)
        self.scale = PyroParam(0.5**0.5 * scale, self.scale_constraint)
        factor = loc.new_empty(self.latent_dim, self.rank)
        self.cov_factor = nn.Parameter(factor.normal_(0, self.rank**-0.5))

    def get_posterior(self, *args: Any, **kwargs: Any) -> Any:
        """The low-rank multivariate Normal, event shape (D,)."""
        scale, factor = self.scale, self.cov_factor
        try:
            # Not validated: the draw is, and that check names the site.
            return dist.LowRankMultivariateNormal(
                self.loc, factor * scale.unsqueeze(-1), scale.square(), validate_args=False
            )
        except torch.linalg.LinAlgError:
            sizes = {name: shape.numel() for name, shape in self._unconstrained_shapes.items()}
            tell_spoilt({"scale": scale, "covariance factor": factor.sum(-1)}, sizes)
            raise

    def _loc_scale(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.loc, self.scale * (self.cov_factor.square().sum(-1) + 1).sqrt()
