"""`AutoContinuous`: the base of the families that draw all sites as one unconstrained vector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor
from torch.distributions import biject_to

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.divergence import watch
from autoguide_core.guides.draws import NUM_QUANTILE_DRAWS, quantiles_of_draws
from autoguide_core.guides.emission import emit_point
from autoguide_core.guides.packing import Packed, Packing
from autoguide_core.guides.supports import (
    SiteMask,
    constrain,
    full_size,
    hold_masked,
    is_elementwise,
    is_subsampled,
    monotone_quantiles,
    unconstrained_value,
)
from autoguide_core.initialization import InitStrategy, Site, init_to_median


class AutoContinuous(AutoGuide):
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
        for name, site in self._sites():
            self._refuse_subsampling(name, site)
            self._unconstrained_shapes[name] = unconstrained_value(site).shape
        self.latent_dim = sum(shape.numel() for shape in self._unconstrained_shapes.values())
        if self.latent_dim == 0:
            raise RuntimeError(
                f"{type(self).__name__} found no latent variables; Use an empty guide instead"
            )
        if not self._live_supports and all(mask == SiteMask() for mask in self._masks.values()):
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

    def _refuse_subsampling(self, name: str, site: Site) -> None:
        for frame in site["cond_indep_stack"]:
            if is_subsampled(frame):
                raise ValueError(
                    f"{type(self).__name__} cannot cover site '{name}': it is inside plate "
                    f"'{frame.name}', of which a minibatch of {frame.size} of {full_size(frame)} "
                    "is in use, and one joint vector cannot be subsampled. Use AutoNormal for it "
                    "(in an AutoGuideList), or run the plate at its full size."
                )

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
        if self._packing is None:
            images = self._constrain_one_by_one(latent, *args, **kwargs)
        else:
            with_density = poutine.get_mask() is not False
            images = self._packing.constrain(latent, with_density=with_density)
        result = {}
        for (name, site), (value, log_density) in zip(self._sites(), images, strict=True):
            with self._site_plates(site):
                result[name] = emit_point(name, value, log_density, site["fn"].event_dim)
        return result

    def _constrain_one_by_one(
        self, latent: Tensor, *args: Any, **kwargs: Any
    ) -> list[tuple[Tensor, Tensor | float]]:
        """Map the vector onto supports that move, or sites of which some entries are masked."""
        unconstrained = {site["name"]: value for site, value in self._unpack_latent(latent)}
        supports = self._current_supports(unconstrained, *args, **kwargs)
        masks = self._current_masks(*args, **kwargs)
        with_density = poutine.get_mask() is not False
        images = []
        for name, site in self._sites():
            event_dim, draw = site["fn"].event_dim, unconstrained[name]
            value, log_density = constrain(
                supports[name], event_dim, draw, masks[name], with_density=with_density
            )
            if with_density:
                draw_event_dim = event_dim + draw.dim() - value.dim()
                log_density = hold_masked(log_density, draw, draw_event_dim, masks[name])
            images.append((value, log_density))
        return images

    def _loc_scale(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Location and scale of Normal marginals, each of shape (D,); families that have them."""
        raise NotImplementedError

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The image on the supports of the median of the packed vector.

        For a support with an elementwise bijection this is the median of each entry. For others
        (a simplex, say) it is the image of the unconstrained median, which lies in the support. A
        family without Normal marginals takes the median over draws.
        """
        self._ensure_prototype(*args, **kwargs)
        try:
            loc, _ = self._loc_scale(*args, **kwargs)
        except NotImplementedError:
            with torch.no_grad(), poutine.block():
                draws = self.get_posterior(*args, **kwargs).sample((NUM_QUANTILE_DRAWS,))
            loc = quantiles_of_draws(draws, [0.5])[0]
        locs = {site["name"]: value for site, value in self._unpack_latent(loc)}
        return self._on_supports(locs, *args, **kwargs)

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles of each entry of each site.

        Exact where the marginals are Normal and the bijection of the support is elementwise; over
        draws in all other cases.

        Args:
            quantiles: Probabilities, Q of them.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each site a tensor of shape (Q, *site shape).
        """
        self._ensure_prototype(*args, **kwargs)
        try:
            with torch.no_grad():
                loc, scale = self._loc_scale(*args, **kwargs)
        except NotImplementedError:
            return super().quantiles(quantiles, *args, **kwargs)
        q = torch.as_tensor(quantiles, dtype=loc.dtype, device=loc.device)
        scales = {site["name"]: value for site, value in self._unpack_latent(scale.detach())}
        draws: dict[str, Tensor] = {}
        result = {}
        for site, site_loc in self._unpack_latent(loc.detach()):
            name, support = site["name"], self._supports[site["name"]]
            if name not in self._live_supports and is_elementwise(biject_to(support)):
                result[name] = monotone_quantiles(support, site_loc, scales[name], q)
            else:
                draws = draws or self.sample_posterior(NUM_QUANTILE_DRAWS, *args, **kwargs)
                result[name] = quantiles_of_draws(draws[name], q)
        return result

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from the guide many times at once; see `AutoGuide.sample_posterior`."""
        self._ensure_prototype(*args, **kwargs)
        if self._live_supports:
            return super().sample_posterior(num_samples, *args, **kwargs)
        with torch.no_grad(), poutine.block():
            latents = self.get_posterior(*args, **kwargs).sample((num_samples,))
            if self._packing is not None:
                images = self._packing.constrain_draws(latents)
                return {name: image for (name, _), image in zip(self._sites(), images, strict=True)}
            draws = self._unpack_latent_draws(latents)
            return {name: biject_to(self._supports[name])(draw) for name, draw in draws.items()}

    def _score_unconstrained(self, unconstrained: dict[str, Tensor]) -> Tensor:
        values = [unconstrained[name] for name, _ in self._sites()]
        parts = [value.reshape(len(value), -1) for value in values]
        log_density: Tensor = self.get_posterior().log_prob(torch.cat(parts, dim=1))
        return log_density

    def _unpack_latent_draws(self, latents: Tensor) -> dict[str, Tensor]:
        """Cut draws of the vector, shape (S, D), into draws of each site, (S, *shape)."""
        sizes = [shape.numel() for shape in self._unconstrained_shapes.values()]
        parts = zip(self._unconstrained_shapes.items(), latents.split(sizes, -1), strict=True)
        return {name: part.reshape(len(part), *shape) for (name, shape), part in parts}
