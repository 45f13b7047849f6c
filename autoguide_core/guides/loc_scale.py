"""What the diagonal and the full normal guide share: a location and a scale for each entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import nn

from autoguide_core.guides.continuous import AutoContinuous
from autoguide_core.guides.scales import (
    DEFAULT_SCALE,
    InitScale,
    checked_init_scale,
    packed_init_scale,
)
from autoguide_core.initialization import InitStrategy, init_to_median


class LocScaleGuide(AutoContinuous):
    """Base of the guides that move and scale a standard Normal.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the location.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.

    Attributes:
        loc: The location, shape (D,).
        scale: Positive, shape (D,).
    """

    scale_constraint = constraints.softplus_positive

    def __init__(
        self,
        model: Callable[..., Any],
        init_loc_fn: InitStrategy = init_to_median,
        init_scale: InitScale = DEFAULT_SCALE,
    ) -> None:
        self._init_scale = checked_init_scale(init_scale)
        super().__init__(model, init_loc_fn=init_loc_fn)

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        loc = self._init_loc()
        self.loc = nn.Parameter(loc)
        scale = packed_init_scale(self._init_scale, self._unconstrained_shapes, loc)
        self.scale = PyroParam(scale, self.scale_constraint)

    def get_base_dist(self) -> Any:
        """A standard Normal of event shape (D,)."""
        loc = self.loc
        return dist.Normal(torch.zeros_like(loc), torch.ones_like(loc)).to_event(1)
