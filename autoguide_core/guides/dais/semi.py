"""`AutoSemiDAIS`: annealing for the local latents of a plate, any guide for the global ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.nn.module import PyroParam
from torch import Tensor

from autoguide_core.guides.base import AutoGuide, CreatePlates
from autoguide_core.guides.dais.chain import AnnealedGuide
from autoguide_core.guides.dais.density import log_joint_per_draw, summed_to
from autoguide_core.guides.dais.dynamics import anneal
from autoguide_core.guides.dais.local import LocalLayout, local_layout
from autoguide_core.guides.dais.options import checked_options
from autoguide_core.guides.divergence import watch
from autoguide_core.guides.full_size import full_size_model
from autoguide_core.guides.log_joint import given_values
from autoguide_core.guides.scales import positive_init_scale
from autoguide_core.guides.supports import constrain, hold_masked
from autoguide_core.initialization import InitStrategy, init_to_uniform


class AutoSemiDAIS(AnnealedGuide):
    """Differentiable annealed importance sampling for local latents, on minibatches too.

    Each element of a plate has a chain of its own, from a Normal of its own towards the posterior
    of its local latents given the global ones, which another guide draws. Elements are independent
    given the global latents, so that the forces on a minibatch are exact, and the bound gets
    tighter with K under subsampling (Jankowiak and Phan 2022, section "Semi-DAIS",
    https://arxiv.org/abs/2112.12194). The interface is that of NumPyro's guide of this name; it has
    no local guide, and starts each chain at a Normal with parameters of its own::

        def global_model():
            return pyro.sample("theta", dist.Normal(0.0, 1.0))


        def local_model(theta):
            with pyro.plate("data", 1000, subsample_size=100) as index:
                z = pyro.sample("z", dist.Normal(theta, 1.0))
                pyro.sample("y", dist.Normal(z, 1.0), obs=y[index])


        def model():
            local_model(global_model())


        guide = AutoSemiDAIS(model, local_model, AutoNormal(global_model))

    Args:
        model: A Pyro model.
        local_model: The part of the model with the local latents; takes what the global guide's
            model returns. None runs the whole model for the forces, which costs more.
        global_guide: A guide over the global latents.
        K: The number of steps.
        eta_init: The first step size.
        eta_max: The largest step size.
        gamma_init: How much of the momentum outlasts a step at first, between 0 and 1.
        init_loc_fn: The initialisation strategy of the Normals' locations.
        init_scale: Their initial scale in unconstrained space.
        create_plates: As for `AutoGuide`.

    Attributes:
        loc: The locations of the Normals, shape (*plate sizes in full, d).
        scale: Their scales, positive, of the same shape.
        beta_increments: Positive, shape (K,); the temperatures are their cumulative shares.
        eta: The step sizes, between 0 and ``eta_max``; shape (K,).
        gamma: Between 0 and 1, a scalar.
        inverse_mass: Positive, shape (d,).
    """

    scale_constraint = constraints.softplus_positive

    def __init__(
        self,
        model: Callable[..., Any],
        local_model: Callable[..., Any] | None,
        global_guide: AutoGuide,
        *,
        K: int = 4,  # noqa: N803  (NumPyro's name)
        eta_init: float = 0.01,
        eta_max: float = 0.1,
        gamma_init: float = 0.9,
        init_loc_fn: InitStrategy = init_to_uniform,
        init_scale: float = 0.1,
        create_plates: CreatePlates | None = None,
    ) -> None:
        self._options = checked_options(K, "diagonal", eta_init, eta_max, gamma_init)
        self._init_scale = positive_init_scale(init_scale)
        super().__init__(model, create_plates=create_plates)
        if not isinstance(global_guide, AutoGuide) or global_guide.master is not None:
            raise TypeError(
                "AutoSemiDAIS needs an automatic guide for the global latents that is in no other "
                "guide; wrap a function in AutoCallable."
            )
        self._initialise_with(init_loc_fn)
        # In a tuple, so that a model that is a module does not become a submodule of the guide.
        self._local_model = (local_model,)
        self.global_guide = global_guide

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        self.global_guide._ensure_prototype(*args, **kwargs)
        foreign = {name for name, _ in self.global_guide._sites()}
        self._layout: LocalLayout = local_layout(self._sites(), foreign)
        loc = self._layout.init_loc()
        init_scale = torch.full_like(loc, self._init_scale)
        self.loc = PyroParam(loc, constraints.real, event_dim=1)
        self.scale = PyroParam(init_scale, self.scale_constraint, event_dim=1)
        self._make_chain(loc)

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw the global latents, run the chains and emit the local latents.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The sampled value of each site.
        """
        self._ensure_prototype(*args, **kwargs)
        self._create_plates(*args, **kwargs)
        root = self._root()
        try:
            result: dict[str, Tensor] = dict(self.global_guide(*args, **kwargs))
            root._emitted.update(result)
            latent = self._sample_local(args, kwargs)
            values, log_densities = self._on_local_supports(latent, args, kwargs)
            for name, site in self._layout.sites.items():
                with self._site_plates(site):
                    delta = dist.Delta(
                        values[name], log_densities[name], event_dim=site["fn"].event_dim
                    )
                    result[name] = pyro.sample(name, delta)
            return result
        finally:
            if root is self:
                self._emitted = {}

    def _sample_local(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Run the chains; their ends, shape (..., *plates, d)."""
        name = self._pyro_name
        log_target = self._local_target(args, kwargs)
        auxiliary = {"is_auxiliary": True}
        sizes = {name: shape.numel() for name, shape in self._layout.event_shapes.items()}

        def log_base(latent: Tensor) -> Tensor:
            watch(latent, sizes)
            log_density: Tensor = base.log_prob(latent)
            return log_density

        with self._site_plates(self._layout.first):
            # Not validated: the chain is, and that check names the site.
            base = dist.Normal(self.loc, self.scale, validate_args=False).to_event(1)
            start = pyro.sample(f"_{name}_start", base, infer=auxiliary)
            noise = pyro.sample(f"_{name}_noise", self._momenta(start), infer=auxiliary)
        # Outside of the plates: the forces run the model, which enters plates of the same names.
        end, cost = anneal(start, noise, self._schedule(), log_base, log_target)
        watch(end, sizes)
        with self._site_plates(self._layout.first):
            delta = dist.Delta(end, cost.sum(-1), event_dim=1)
            return pyro.sample(f"_{name}_latent", delta, infer=auxiliary)

    def _on_local_supports(
        self, latent: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The local values, and the log densities of the maps that lead to them."""
        unconstrained = self._layout.unpack(latent)
        with poutine.block():
            supports = self._current_supports(unconstrained, *args, **kwargs)
            masks = self._current_masks(*args, **kwargs)
        values, log_densities = {}, {}
        for name, site in self._layout.sites.items():
            event_dim, draw = site["fn"].event_dim, unconstrained[name]
            values[name], log_density = constrain(supports[name], event_dim, draw, masks[name])
            assert isinstance(log_density, Tensor)
            draw_event_dim = event_dim + draw.dim() - values[name].dim()
            log_densities[name] = hold_masked(log_density, draw, draw_event_dim, masks[name])
        return values, log_densities

    def _local_target(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Callable[[Tensor], Tensor]:
        """The log density of each element's local latents, given the global ones drawn."""
        root = self._root()
        known = dict(root._emitted)
        model, model_args, model_kwargs = self._local_call(known, args, kwargs)
        plates = {frame.name: self.plates[frame.name] for frame in self._layout.frames}

        def log_target(latent: Tensor) -> Tensor:
            values, log_densities = self._on_local_supports(latent, args, kwargs)
            with full_size_model() if root._in_full_size else nullcontext():
                total = log_joint_per_draw(
                    model,
                    model_args,
                    model_kwargs,
                    {**known, **values},
                    latent.shape[:-1],
                    plates=plates,
                )
            for log_density in log_densities.values():
                total = total - summed_to(log_density, latent.shape[:-1])
            return total

        return log_target

    def _local_call(
        self, known: dict[str, Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """What to run for the forces, and with which arguments."""
        (local_model,) = self._local_model
        full_model = self._full_model()
        if local_model is None:
            return full_model, args, kwargs
        bare = self.global_guide._bare_model
        assert bare is not None
        with poutine.block():
            returned = given_values(bare[0], known)(*args, **kwargs)
        if isinstance(returned, dict):
            return local_model, (), returned
        return local_model, returned if isinstance(returned, tuple) else (returned,), {}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_local_model": (None,)}

    def __deepcopy__(self, memo: dict[int, Any]) -> AutoGuide:
        memo[id(self._local_model)] = self._local_model  # shared, as the model is
        return super().__deepcopy__(memo)
