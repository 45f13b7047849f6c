"""`AutoNormal`: an independent Normal for each entry of each latent site (mean field)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.nn.module import PyroModule
from pyro.poutine.runtime import get_plates
from torch import Tensor

from autoguide_core.guides.emission import emit_point
from autoguide_core.guides.naming import get_deep, parameter_paths
from autoguide_core.guides.packing import Packed
from autoguide_core.guides.parameters import SiteParameter, make_parameter
from autoguide_core.guides.scales import (
    DEFAULT_SCALE,
    InitScale,
    checked_init_scale,
    init_scale_by_site,
)
from autoguide_core.guides.supports import (
    SiteMask,
    constrain,
    is_subsampled,
    tile_to_full_size,
    unconstrained_event_dim,
    unconstrained_value,
)
from autoguide_core.guides.together import Drawn, DrawnTogether, normal_source
from autoguide_core.guides.unconstrained import UnconstrainedGuide
from autoguide_core.initialization import InitStrategy, init_to_feasible


class AutoNormal(UnconstrainedGuide):
    """A mean-field Normal guide with named parameters for each site.

    In unconstrained space each entry of each site has a Normal of its own. Site ``theta`` has the
    parameters ``guide.locs.theta`` and ``guide.scales.theta``, of its full unconstrained shape
    under subsampling, and the auxiliary site ``theta_unconstrained``.

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the locations.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            others.
        create_plates: As for `AutoGuide`.
    """

    scale_constraint = constraints.softplus_positive

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        init_loc_fn: InitStrategy = init_to_feasible,
        init_scale: InitScale = DEFAULT_SCALE,
        create_plates: Callable[..., Any] | None = None,
    ) -> None:
        self._init_scale = checked_init_scale(init_scale)
        super().__init__(model, create_plates=create_plates)
        self._initialise_with(init_loc_fn)
        self._event_dims: dict[str, int] = {}
        self._paths: dict[str, str] = {}
        self._together: DrawnTogether | None = None

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        self.locs, self.scales = PyroModule(), PyroModule()
        self._paths = parameter_paths(self.locs, self._supports)
        scales = init_scale_by_site(self._init_scale, self._supports)
        parameters = {}
        for name, site in self._sites():
            init_loc = unconstrained_value(site)
            event_dim = unconstrained_event_dim(site, init_loc)
            self._event_dims[name] = event_dim
            init_loc = tile_to_full_size(site, init_loc, event_dim)
            init_scale = torch.full_like(init_loc, scales[name])
            path = self._paths[name]
            parameters[name] = (
                make_parameter(self.locs, path, init_loc, constraints.real, event_dim),
                make_parameter(self.scales, path, init_scale, self.scale_constraint, event_dim),
            )
        self._together = self._find_together(parameters)

    def _find_together(
        self, parameters: dict[str, tuple[SiteParameter, SiteParameter]]
    ) -> DrawnTogether | None:
        """The sites that are drawn in one: of one dtype, whole, unmasked, on fixed supports."""
        if self._live_supports or not parameters:
            return None
        first = next(iter(parameters.values()))[0].free
        members = []
        for name, site in self._sites():
            free = parameters[name][0].free
            if (
                (free.dtype, free.device) == (first.dtype, first.device)
                and self._masks[name] == SiteMask()
                and not any(map(is_subsampled, site["cond_indep_stack"]))
            ):
                event_dim = site["fn"].event_dim
                support = self._supports[name]
                members.append(Packed(name, free.shape, self._event_dims[name], support, event_dim))
        if not members:
            return None
        locs, scales = zip(*(parameters[member.name] for member in members), strict=True)
        return DrawnTogether(members, locs, scales)

    def _drawn_together(self) -> DrawnTogether | None:
        together = self._together
        return together if together is not None and together.can_draw() else None

    def _get_loc_and_scale(self, name: str) -> tuple[Tensor, Tensor]:
        """The location and scale of a site, of the sizes that the entered plates have."""
        path = self._paths[name]
        return get_deep(self.locs, path), get_deep(self.scales, path)

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw each site.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The sampled value of each site.
        """
        self._ensure_prototype(*args, **kwargs)
        self._create_plates(*args, **kwargs)
        masks = self._current_masks(*args, **kwargs)
        if self._live_supports:
            return self._forward_on_live_supports(masks, *args, **kwargs)
        with_density = poutine.get_mask() is not False
        drawn: dict[str, Drawn] = {}
        together = self._drawn_together()
        if together is not None and not get_plates() and not self._is_any_partial(together.names):
            drawn = together.draw(with_density=with_density)
        result: dict[str, Tensor] = {}
        for name, site in self._sites():
            with self._site_plates(site), batch_mask(masks[name]):
                ready = drawn.get(name)
                normal = self._normal(name, masks[name]) if ready is None else ready.normal
                unconstrained = self._sample(name, normal)
                if ready is not None and unconstrained is ready.unconstrained:
                    result[name] = emit_point(
                        name, ready.value, ready.log_density, site["fn"].event_dim, ready.source
                    )
                else:  # drawn by itself, or a handler put another value in its place
                    support = self._supports[name]
                    result[name] = self._emit(name, support, unconstrained, masks[name], normal)
        return result

    def _forward_on_live_supports(
        self, masks: dict[str, SiteMask], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Draw all sites first: the supports of some depend on the values of others."""
        unconstrained: dict[str, Tensor] = {}
        result: dict[str, Tensor] = {}
        for name, site in self._sites():
            with self._site_plates(site), batch_mask(masks[name]):
                unconstrained[name] = self._sample(name, self._normal(name, masks[name]))
        supports = self._current_supports(unconstrained, *args, **kwargs)
        for name, site in self._sites():
            with self._site_plates(site), batch_mask(masks[name]):
                result[name] = self._emit(name, supports[name], unconstrained[name], masks[name])
        return result

    def _normal(self, name: str, mask: SiteMask) -> Any:
        """The Normal of a site, its masked entries masked."""
        normal = dist.Normal(*self._get_loc_and_scale(name))
        if mask.elements is not None:
            keep = torch.as_tensor(mask.elements, device=normal.loc.device)
            entry_event_dim = self._event_dims[name] - mask.reinterpreted
            normal = normal.mask(keep.reshape(keep.shape + (1,) * entry_event_dim))
        return normal

    def _sample(self, name: str, normal: Any) -> Tensor:
        """Emit a site's auxiliary latent."""
        event_dim = self._event_dims[name]
        result: Tensor = pyro.sample(
            name + "_unconstrained",
            normal.to_event(event_dim) if event_dim else normal,
            infer={"is_auxiliary": True},
        )
        return result

    def _emit(
        self,
        name: str,
        support: Any,
        unconstrained: Tensor,
        mask: SiteMask,
        normal: Any = None,
    ) -> Tensor:
        """Emit a site itself; with its Normal, where its divergence may be wanted."""
        event_dim = self.prototype_trace.nodes[name]["fn"].event_dim
        with_density = poutine.get_mask() is not False
        value, log_density = constrain(
            support, event_dim, unconstrained, mask, with_density=with_density
        )
        source = None
        if normal is not None and mask.elements is None:
            source = normal_source(support, normal, unconstrained, self._event_dims[name])
        return emit_point(name, value, log_density, event_dim, source)

    def _marginals(self, *args: Any, **kwargs: Any) -> dict[str, tuple[Tensor, Tensor]]:
        return {name: self._get_loc_and_scale(name) for name, _ in self._sites()}

    def _unconstrained_draws(
        self, num_samples: int, /, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        together = self._drawn_together()
        draws = {} if together is None else together.sample(num_samples)
        for name, _ in self._sites():
            if name not in draws:
                normal = dist.Normal(*self._get_loc_and_scale(name))
                draws[name] = normal.sample((num_samples,))
        return draws

    def _score_unconstrained(self, unconstrained: dict[str, Tensor]) -> Tensor:
        total: Tensor = sum(
            dist.Normal(*self._get_loc_and_scale(name))
            .log_prob(value)
            .reshape(len(value), -1)
            .sum(1)
            for name, value in unconstrained.items()
        )
        return total


def batch_mask(mask: SiteMask) -> AbstractContextManager[Any]:
    """The handler that applies a site's batch mask to what is emitted inside."""
    if mask.batch is None:
        return nullcontext()
    handler: AbstractContextManager[Any] = poutine.mask(mask=mask.batch)
    return handler
