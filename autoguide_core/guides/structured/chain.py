"""The chain of a structured guide: its parameters, from noise to unconstrained values, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.nn.module import PyroModule, PyroParam
from torch import Tensor, nn

from autoguide_core.guides.divergence import watch_sites
from autoguide_core.guides.minibatches import partial_plates
from autoguide_core.guides.naming import get_deep, parameter_paths, set_deep
from autoguide_core.guides.scales import (
    DEFAULT_SCALE,
    InitScale,
    checked_init_scale,
    init_scale_by_site,
)
from autoguide_core.guides.structured.graph import drawing_order, inferred_dependencies
from autoguide_core.guides.structured.linear import log_density_by_entry, scaled
from autoguide_core.guides.structured.minibatch import (
    pick,
    refuse_minibatches,
    rows_in_use,
)
from autoguide_core.guides.structured.options import (
    Conditional,
    Dependencies,
    Dependency,
    check_conditionals,
    check_dependencies,
    check_size,
    conditionals_by_site,
    dependencies_by_site,
)
from autoguide_core.guides.structured.scores import score_of_noise
from autoguide_core.guides.supports import (
    full_size,
    is_subsampled,
    tile_to_full_size,
    unconstrained_event_dim,
    unconstrained_value,
)
from autoguide_core.guides.unconstrained import UnconstrainedGuide
from autoguide_core.initialization import InitStrategy, Site, init_to_feasible


class StructuredChain(UnconstrainedGuide):
    """Base of `AutoStructured`, which documents the arguments: the chain, without its summaries.

    Each site has noise of its own. Its *deviation* is that noise plus the images of the deviations
    of the sites it depends on, and its unconstrained value is the deviation plus a location. All
    of these are flat, shape (..., D) for a site of D unconstrained entries; batch dims on the left
    are aligned as those of the site are, with ones in the place of the site's own.
    """

    scale_constraint = constraints.softplus_positive
    scale_tril_constraint = constraints.softplus_lower_cholesky

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        conditionals: str | Mapping[str, Conditional] = "mvn",
        dependencies: str | Mapping[str, Mapping[str, Dependency]] = "linear",
        init_loc_fn: InitStrategy = init_to_feasible,
        init_scale: InitScale = DEFAULT_SCALE,
        create_plates: Callable[..., Any] | None = None,
    ) -> None:
        self._init_scale = checked_init_scale(init_scale)
        check_conditionals(conditionals)
        check_dependencies(dependencies)
        super().__init__(model, create_plates=create_plates)
        self._initialise_with(init_loc_fn)
        self.conditionals: Any = conditionals
        self.dependencies: Any = dependencies
        self._paths: dict[str, str] = {}
        self._upstream_paths: dict[str, dict[str, str]] = {}
        self._shapes: dict[str, torch.Size] = {}
        self._event_dims: dict[str, int] = {}
        self._order: list[str] = []

    # --- Set-up -------------------------------------------------------------------------------

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        sites = dict(self._sites())
        locs = {name: unconstrained_value(site) for name, site in sites.items()}
        conditionals = conditionals_by_site(self.conditionals, sites)
        dependencies = self._dependencies_by_site(sites, args, kwargs)
        order = drawing_order(sites, dependencies)
        frames = self._prototype_frames
        partial = {n: (f.size, full_size(f)) for n, f in frames.items() if is_subsampled(f)}
        refuse_minibatches(sites, conditionals, dependencies, partial)

        self.locs, self.scales, self.scale_trils = PyroModule(), PyroModule(), PyroModule()
        self.conds, self.deps = PyroModule(), PyroModule()
        self._paths = parameter_paths(self.locs, sites)
        scales = init_scale_by_site(self._init_scale, sites)
        for name, site in sites.items():
            self._event_dims[name] = unconstrained_event_dim(site, locs[name])
            loc = tile_to_full_size(site, locs[name], self._event_dims[name])
            self._shapes[name] = loc.shape
            flat = loc.reshape(-1)
            self._make_noise_parameters(name, flat, scales[name], conditionals[name])
        for name in sites:
            self._make_dependencies(name, locs[name], dependencies.get(name, {}))
        self.conditionals, self.dependencies, self._order = conditionals, dependencies, order

    def _dependencies_by_site(
        self, sites: Mapping[str, Site], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Dependencies:
        if isinstance(self.dependencies, str):
            # A part of a list may not see the observations: those of the list's model count.
            return inferred_dependencies(self._full_model(), sites, args, kwargs)
        return dependencies_by_site(self.dependencies, sites)

    def _make_noise_parameters(
        self, name: str, loc: Tensor, init_scale: float, conditional: Conditional
    ) -> None:
        path = self._paths[name]
        set_deep(self.locs, path, PyroParam(loc))
        if callable(conditional):
            set_deep(self.conds, path, conditional)
            return
        if conditional in ("normal", "mvn"):
            scale = torch.full_like(loc, init_scale)
            set_deep(self.scales, path, PyroParam(scale, self.scale_constraint))
        if conditional == "mvn":
            identity = torch.eye(loc.numel(), dtype=loc.dtype, device=loc.device)
            set_deep(self.scale_trils, path, PyroParam(identity, self.scale_tril_constraint))

    def _make_dependencies(
        self, name: str, loc: Tensor, upstreams: Mapping[str, Dependency]
    ) -> None:
        module = PyroModule()
        set_deep(self.deps, self._paths[name], module)
        self._upstream_paths[name] = parameter_paths(module, upstreams)
        for upstream, dependency in upstreams.items():
            if not callable(dependency):
                sizes = self._shapes[upstream].numel(), self._shapes[name].numel()
                dependency = nn.Linear(*sizes, bias=False, dtype=loc.dtype, device=loc.device)
                nn.init.zeros_(dependency.weight)
            set_deep(module, self._upstream_paths[name][upstream], dependency)

    # --- From noise to values -----------------------------------------------------------------

    def _draw(self, names: Iterable[str]) -> tuple[dict[str, Tensor], dict[str, Tensor | float]]:
        """Emit the auxiliary sites and chain them.

        Args:
            names: Sites in drawing order, with all those that they depend on.

        Returns:
            The unconstrained value of each site, of the sizes that the plates have, and the log
            density that scaling the noise brings, one entry per batch element.
        """
        plates = {name: self.plates[name] for name in self._prototype_frames}
        root = self._root()
        is_chosen = root._has_given_indices or root.create_plates is not None
        partial = partial_plates(plates, may_be_permuted=is_chosen)
        sites = dict(self._sites())
        if partial:
            refuse_minibatches(sites, self.conditionals, self.dependencies, partial)
        deviations: dict[str, Tensor] = {}
        values: dict[str, Tensor] = {}
        densities: dict[str, Tensor | float] = {}
        for name in names:
            shape, event_dim = self._shapes[name], self._event_dims[name]
            rows = rows_in_use(sites[name], shape, event_dim, plates, partial)
            shape = shape if rows is None else rows.shape
            split = len(shape) - event_dim
            noise, by_entry = self._draw_noise(name, rows)
            deviations[name] = noise + self._shift(name, deviations, rows)
            moved = deviations[name] + pick(get_deep(self.locs, self._paths[name]), rows)
            batch = torch.broadcast_shapes(deviations[name].shape[:-1], shape[:split])
            values[name] = moved.reshape(batch + shape[split:])
            densities[name] = by_entry
            if isinstance(by_entry, Tensor):
                densities[name] = by_entry.reshape(*shape[:split], -1).sum(-1)
        watch_sites(values)
        return values, densities

    def _draw_noise(self, name: str, rows: Tensor | None) -> tuple[Tensor, Tensor | float]:
        """A site's own noise, and the log density that scaling it brings, entry by entry."""
        conditional, path = self.conditionals[name], self._paths[name]
        loc = get_deep(self.locs, path)
        if callable(conditional):
            with poutine.infer_config(config_fn=_mark_auxiliary):
                noise = get_deep(self.conds, path)()
            return check_size(noise, loc.numel(), f"conditional of site '{name}'"), 0.0
        if conditional == "delta":
            return torch.zeros_like(pick(loc, rows)), 0.0
        auxiliary = self._draw_auxiliary(name, torch.zeros_like(loc), rows)
        scale, scale_tril = self._scales(name)
        scale = pick(scale, rows)
        noise = scaled(auxiliary, scale, scale_tril)
        if poutine.get_mask() is False:
            return noise, 0.0
        return noise, log_density_by_entry(scale, scale_tril)

    def _draw_auxiliary(self, name: str, zero: Tensor, rows: Tensor | None) -> Tensor:
        """Emit a site's standard Normal draw, as one event; in the plates for a minibatch."""
        infer = {"is_auxiliary": True}
        if rows is None:
            return pyro.sample(f"{name}_aux", dist.Normal(zero, 1).to_event(1), infer=infer)
        event_dim = self._event_dims[name]
        normal = dist.Normal(zero[rows], 1).to_event(event_dim)
        with self._site_plates(self.prototype_trace.nodes[name]):
            auxiliary = pyro.sample(f"{name}_aux", normal, infer=infer)
        outer = auxiliary.shape[: auxiliary.dim() - rows.dim()]
        return auxiliary.reshape(*outer, *[1] * (rows.dim() - event_dim), rows.numel())

    def _scales(self, name: str) -> tuple[Tensor, Tensor | None]:
        """The scale of a site's noise, shape (D,), and its Cholesky factor, where it has one."""
        path = self._paths[name]
        has_tril = self.conditionals[name] == "mvn"
        scale = get_deep(self.scales, path)
        return scale, get_deep(self.scale_trils, path) if has_tril else None

    def _read_dependencies(self, name: str) -> Iterator[tuple[str, Any]]:
        """The sites that a site depends on, each with the map from its deviation."""
        if name in self.dependencies:
            module = get_deep(self.deps, self._paths[name])
            for upstream in self.dependencies[name]:
                yield upstream, get_deep(module, self._upstream_paths[name][upstream])

    def _shift(
        self, name: str, deviations: Mapping[str, Tensor], rows: Tensor | None = None
    ) -> Tensor | float:
        """What the upstream deviations add to a site's own noise.

        Each shear leaves the sites upstream as they are, so that the map from all noise to all
        deviations has a unit Jacobian, whatever the dependencies are.
        """
        total: Tensor | float = 0.0
        for upstream, dependency in self._read_dependencies(name):
            image = dependency(deviations[upstream])
            place = f"dependency of site '{name}' on site '{upstream}'"
            total = total + pick(check_size(image, self._shapes[name].numel(), place), rows)
        return total

    # --- And back -----------------------------------------------------------------------------

    def _noises(self, unconstrained: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each site's own noise behind unconstrained values of all sites, shape (..., D).

        Args:
            unconstrained: A value for each site, of its full unconstrained shape, with any
                dims on its left, the same for all.
        """
        deviations = {}
        for name in self._order:
            value, shape = unconstrained[name], self._shapes[name]
            flat = value.reshape(*value.shape[: value.dim() - len(shape)], shape.numel())
            deviations[name] = flat - get_deep(self.locs, self._paths[name])
        return {name: deviations[name] - self._shift(name, deviations) for name in self._order}

    def _has_density(self, name: str) -> bool:
        return bool(self.conditionals[name] != "delta")

    def _score_unconstrained(self, unconstrained: Mapping[str, Tensor]) -> Tensor:
        """The log density of full-size draws in unconstrained space; shape (S,).

        Sites with the conditional "delta" add 0 where they are at their point given the sites
        upstream, and minus infinity elsewhere.

        Args:
            unconstrained: For each site of the guide a tensor (S, *full unconstrained shape).

        Raises:
            NotImplementedError: The noise of a site comes from a callable.
        """
        for name in self._order:
            if callable(self.conditionals[name]):
                raise NotImplementedError(
                    f"The noise of site '{name}' comes from a callable, whose density at a given "
                    "value is not known: use 'normal' or 'mvn' as its conditional to score draws."
                )
        scores = []
        for name, noise in self._noises(unconstrained).items():
            scales = self._scales(name) if self._has_density(name) else None
            value = unconstrained[name].reshape(noise.shape)
            scores.append(score_of_noise(noise, scales, value))
        return torch.stack(scores).sum(0)


def _mark_auxiliary(msg: Site) -> dict[str, Any]:
    return {"is_auxiliary": True}
