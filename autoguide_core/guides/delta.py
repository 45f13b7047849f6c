"""`AutoDelta`: a point estimate (MAP) for each latent site, in constrained space."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.nn.module import PyroParam
from torch import Tensor

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.live import ARGUMENTS
from autoguide_core.guides.naming import get_deep, parameter_paths, set_deep
from autoguide_core.guides.supports import full_shape, tile_to_full_size
from autoguide_core.initialization import (
    InitStrategy,
    helpful_support_errors,
    init_to_median,
)


class AutoDelta(AutoGuide):
    """A guide of Delta distributions: maximum a posteriori estimation.

    The point maximises the density in *constrained* space: no Jacobian takes part. The parameter of
    site ``theta`` is ``guide.theta``, kept on the site's support.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy.
        create_plates: As for `AutoGuide`.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        init_loc_fn: InitStrategy = init_to_median,
        *,
        create_plates: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(model, create_plates=create_plates)
        self._initialise_with(init_loc_fn)
        self._paths: dict[str, str] = {}

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        for name, sources in self._live_supports.items():
            if sources != {ARGUMENTS}:
                raise ValueError(
                    f"AutoDelta cannot keep site '{name}' on its support, which depends on "
                    f"{', '.join(sorted(sources))}: use AutoNormal, or write the site as a "
                    "transform of one with a fixed support."
                )
        self._live_supports = {}
        self._paths = parameter_paths(self, self._supports)
        for name, site in self._sites():
            event_dim = site["fn"].event_dim
            value = tile_to_full_size(site, site["value"].detach(), event_dim)
            parameter = PyroParam(value, self._supports[name], event_dim)
            with helpful_support_errors(site):
                set_deep(self, self._paths[name], parameter)

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Emit the point estimate at each site.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The value of each site.
        """
        self._ensure_prototype(*args, **kwargs)
        self._create_plates(*args, **kwargs)
        result = {}
        for name, site in self._sites():
            with self._site_plates(site):
                value = get_deep(self, self._paths[name])
                result[name] = pyro.sample(name, dist.Delta(value, event_dim=site["fn"].event_dim))
        return result

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The point estimates themselves, at full size."""
        self._ensure_prototype(*args, **kwargs)
        with torch.no_grad():
            return {name: get_deep(self, self._paths[name]).clone() for name, _ in self._sites()}

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """The point estimates, once for each probability; shape (Q, *full site shape)."""
        count = len(torch.as_tensor(quantiles))
        return self.sample_posterior(count, *args, **kwargs)

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The point estimates, repeated; see `AutoGuide.sample_posterior`."""
        medians = self.median(*args, **kwargs)
        return {
            name: medians[name].expand(num_samples, *full_shape(site))
            for name, site in self._sites()
        }
