"""`AutoContinuous`: the base of the families that draw all sites as one unconstrained vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor
from torch.distributions import biject_to

from autoguide_core.guides.divergence import watch
from autoguide_core.guides.emission import emit_point
from autoguide_core.guides.minibatches import refuse_subsampling
from autoguide_core.guides.packing import Packed, Packing
from autoguide_core.guides.supports import (
    SiteMask,
    unconstrained_value,
)
from autoguide_core.guides.unconstrained import UnconstrainedGuide
from autoguide_core.initialization import InitStrategy, Site, init_to_median


class AutoContinuous(UnconstrainedGuide):
    """Base class of joint guides over all sites, laid out in one vector of length ``latent_dim``.

    Each site is mapped to unconstrained space, and the results are laid side by side in the model's
    order. A derived class says what distribution that vector has: `get_posterior`, or
    `get_base_dist` and `get_transform`. This is automatic differentiation variational inference
    (Kucukelbir, Tran, Ranganath, Gelman and Blei 2017, https://arxiv.org/abs/1603.00788).

    Args:
        model: A Pyro model whose latent sites are all continuous.
        init_loc_fn: The initialisation strategy.

    Attributes:
        latent_dim: The length of the vector, D.
    """

    latent_dim: int

    def __init__(
        self, model: Callable[..., Any], init_loc_fn: InitStrategy = init_to_median
    ) -> None:
        super().__init__(model)
        self._initialise_with(init_loc_fn)
        self._unconstrained_shapes: dict[str, torch.Size] = {}
        self._packing: Packing | None = None

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        refuse_subsampling(type(self).__name__, self._sites(), "joint vector")
        for name, site in self._sites():
            self._unconstrained_shapes[name] = unconstrained_value(site).shape
        self.latent_dim = sum(shape.numel() for shape in self._unconstrained_shapes.values())
        if self.latent_dim == 0:
            raise RuntimeError(
                f"{type(self).__name__} found no latent variables; Use an empty guide instead"
            )
        if not self._sources() and all(mask == SiteMask() for mask in self._masks.values()):
            self._packing = self._make_packing()

    def _make_packing(self) -> Packing:
        """The layout of the vector, for mapping all sites onto their supports in one."""
        members = []
        for name, site in self._sites():
            shape, event_dim = self._unconstrained_shapes[name], site["fn"].event_dim
            unconstrained_event_dim = event_dim + len(shape) - site["value"].dim()
            members.append(
                Packed(name, shape, unconstrained_event_dim, self._supports[name], event_dim)
            )
        return Packing(members, biject_to, site["value"].device)

    def _init_loc(self) -> Tensor:
        """The initial values, unconstrained and packed; shape (D,)."""
        parts = [unconstrained_value(site).reshape(-1) for _, site in self._sites()]
        return torch.cat(parts)

    def get_base_dist(self) -> Any:
        """The base distribution of the posterior over a vector, event shape (D,).

        The posterior is this distribution pushed through `get_transform`.
        """
        raise NotImplementedError

    def get_transform(self, *args: Any, **kwargs: Any) -> Any:
        """The transform from the base distribution to the posterior."""
        raise NotImplementedError

    def get_posterior(self, *args: Any, **kwargs: Any) -> Any:
        """The distribution of the packed unconstrained vector, event shape (D,)."""
        return dist.TransformedDistribution(
            self.get_base_dist(), self.get_transform(*args, **kwargs)
        )

    def sample_latent(self, *args: Any, **kwargs: Any) -> Tensor:
        """Emit the packed vector as one auxiliary site; shape (..., D)."""
        return pyro.sample(
            f"_{self._pyro_name}_latent",
            self.get_posterior(*args, **kwargs),
            infer={"is_auxiliary": True},
        )

    def _unpack_latent(self, latent: Tensor) -> Iterator[tuple[Site, Tensor]]:
        """Cut a packed vector into sites.

        Args:
            latent: Shape (..., D); batch dims on the left are those of plates outside.

        Yields:
            Each site of the prototype with its unconstrained value.
        """
        position = 0
        for name, site in self._sites():
            shape = self._unconstrained_shapes[name]
            event_dim = site["fn"].event_dim + len(shape) - site["value"].dim()
            batched = torch.broadcast_shapes(shape, latent.shape[:-1] + (1,) * event_dim)
            part = latent[..., position : position + shape.numel()]
            yield site, part.reshape(batched)
            position += shape.numel()

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw the packed vector and emit each site.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The sampled value of each site.
        """
        self._ensure_prototype(*args, **kwargs)
        latent = self.sample_latent(*args, **kwargs)
        watch(latent, {name: s.numel() for name, s in self._unconstrained_shapes.items()})
        self._create_plates(*args, **kwargs)
        self._refuse_partial_plates()
        if self._packing is None:
            unconstrained = {site["name"]: value for site, value in self._unpack_latent(latent)}
            images = [image[2:] for image in self._images(unconstrained, args, kwargs)]
        else:
            with_density = poutine.get_mask() is not False
            images = self._packing.constrain(latent, with_density=with_density)
        result = {}
        for (name, site), (value, log_density) in zip(self._sites(), images, strict=True):
            with self._site_plates(site):
                result[name] = emit_point(name, value, log_density, site["fn"].event_dim)
        return result

    def _loc_scale(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Location and scale of Normal marginals, each of shape (D,); families that have them."""
        raise NotImplementedError

    def _marginals(self, *args: Any, **kwargs: Any) -> dict[str, tuple[Tensor, Tensor]]:
        try:
            loc, scale = self._loc_scale(*args, **kwargs)
        except NotImplementedError:
            return {}
        locs, scales = self._unpack_latent(loc), self._unpack_latent(scale)
        return {
            site["name"]: (site_loc, site_scale)
            for (site, site_loc), (_, site_scale) in zip(locs, scales, strict=True)
        }

    def _unconstrained_draws(
        self, num_samples: int, /, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        with torch.no_grad(), poutine.block():
            latents = self.get_posterior(*args, **kwargs).sample((num_samples,))
        sizes = [shape.numel() for shape in self._unconstrained_shapes.values()]
        parts = zip(self._unconstrained_shapes.items(), latents.split(sizes, -1), strict=True)
        return {name: part.reshape(num_samples, *shape) for (name, shape), part in parts}

    def _score_unconstrained(self, unconstrained: dict[str, Tensor]) -> Tensor:
        values = [unconstrained[name] for name, _ in self._sites()]
        parts = [value.reshape(len(value), -1) for value in values]
        log_density: Tensor = self.get_posterior().log_prob(torch.cat(parts, dim=1))
        return log_density
