"""`AutoRegressiveMessenger`: the prior of each site, moved and scaled."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
from pyro.nn.module import PyroParam

from autoguide_core.guides.messengers.masks import (
    entry_transform,
    mask_entries,
    unmasked,
    unmasked_entries,
)
from autoguide_core.guides.messengers.parameters import SiteParameters
from autoguide_core.guides.supports import bijection, site_mask


class AutoRegressiveMessenger(SiteParameters):
    """A guide in which each site has its prior, given the draws upstream, moved and scaled.

    A draw from the prior is mapped to unconstrained space, there multiplied by ``scale`` and moved
    by ``loc``, and mapped back. So the guide keeps the model's dependencies, and with a scale of 1
    and a location of 0 it is the prior itself. Site ``theta`` has the parameters
    ``guide.locs.theta`` and ``guide.scales.theta``.

    Args:
        model: A Pyro model whose latent sites are continuous.
        init_loc_fn: The initialisation strategy: the guide starts at ``init_scale`` parts of the
            prior and ``1 - init_scale`` parts of this value.
        init_scale: The initial scale.
        amortized_plates: Names of plates along which the parameters are shared.
    """

    def get_posterior(self, name: str, prior: Any) -> Any:
        """The prior, moved and scaled in unconstrained space."""
        transform = bijection({"name": name, "fn": prior})
        loc, scale = self._get_params(name, prior)
        mask = site_mask({"fn": prior, "mask": None})
        if mask.elements is None:
            base = unmasked(prior)
        else:
            base, transform = unmasked_entries(prior), entry_transform(transform, mask)
        affine = dist.transforms.AffineTransform(
            loc, scale, event_dim=transform.domain.event_dim, cache_size=1
        )
        steps = [transform.inv.with_cache(), affine, transform.with_cache()]
        posterior = dist.TransformedDistribution(base, steps)
        return posterior if mask.elements is None else mask_entries(posterior, mask)

    def _init_params(self, name: str, prior: Any, transform: Any) -> list[PyroParam]:
        loc, scale = super()._init_params(name, prior, transform)
        start = loc.init_value * (1 - self._scale_of(name))
        return [PyroParam(start, event_dim=loc.event_dim), scale]
