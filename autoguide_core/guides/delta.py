"""`AutoDelta`: a point estimate (MAP) for each latent site, in constrained space."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import biject_to, constraints

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.divergence import watch, watch_sites
from autoguide_core.guides.draws import score_of_point
from autoguide_core.guides.emission import emit_point
from autoguide_core.guides.live import ARGUMENTS
from autoguide_core.guides.naming import get_deep, parameter_paths
from autoguide_core.guides.packing import Packed, Packing
from autoguide_core.guides.parameters import SiteParameter, SiteParameters, make_parameter
from autoguide_core.guides.supports import full_shape, is_subsampled, tile_to_full_size
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
        self._sizes: dict[str, int] = {}
        self._whole = SiteParameters(())
        self._layout = Packing((), biject_to)

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
        first: Tensor | None = None
        whole: dict[str, SiteParameter] = {}
        sizes: dict[str, int] = {}
        members: list[Packed] = []
        for name, site in self._sites():
            event_dim, support = site["fn"].event_dim, self._supports[name]
            value = tile_to_full_size(site, site["value"].detach(), event_dim)
            with helpful_support_errors(site):
                parameter = make_parameter(self, self._paths[name], value, support, event_dim)
            first = first if first is not None else value
            is_alike = (value.dtype, value.device) == (first.dtype, first.device)
            if is_alike and not any(map(is_subsampled, site["cond_indep_stack"])):
                whole[name] = parameter
                sizes[name] = value.numel()
                members.append(Packed(name, value.shape, event_dim, constraints.real, event_dim))
        self._sizes = sizes
        self._whole = SiteParameters([*whole.values()])
        self._layout = Packing(members, biject_to)

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
        whole = self._read_whole()
        result = {}
        for name, site in self._sites():
            with self._site_plates(site):
                value = whole.get(name)
                if value is None:  # read inside its plates, which take its rows of the minibatch
                    value = get_deep(self, self._paths[name])
                    value = value.view_as(value)  # never the parameter itself
                    watch_sites({name: value})
                result[name] = emit_point(name, value, 0.0, site["fn"].event_dim)
        return result

    def _read_whole(self) -> dict[str, Tensor]:
        """The points that need not be cut to a minibatch in this call, read in one."""
        names = self._sizes.keys()
        if not names or not self._whole.are_there() or self._is_any_partial(names):
            return {}
        packed = self._layout.pack(self._whole.read())
        watch(packed, self._sizes)
        return dict(zip(names, self._layout.cut(packed), strict=True))

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

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        return score_of_point(draws, self.median(*args, **kwargs))
