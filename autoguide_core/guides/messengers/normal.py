"""`AutoNormalMessenger`: a mean-field Normal, site by site as the model runs."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
from torch import Tensor

from autoguide_core.guides.messengers.masks import entry_transform, mask_entries
from autoguide_core.guides.messengers.parameters import SiteParameters
from autoguide_core.guides.supports import bijection, site_mask


class AutoNormalMessenger(SiteParameters):
    """A mean-field Normal guide that runs the model, for models that change from call to call.

    Each entry of each site has a Normal in unconstrained space, as in `AutoNormal`. Site ``theta``
    has the parameters ``guide.locs.theta`` and ``guide.scales.theta``, of its full unconstrained
    shape under subsampling. A derived class can give single sites another distribution::

        class MyGuide(AutoNormalMessenger):
            def get_posterior(self, name, prior):
                if name != "c":
                    return super().get_posterior(name, prior)
                shift = pyro.param("shift", torch.tensor(0.0))
                scale = pyro.param("scale", torch.tensor(1.0), constraint=constraints.positive)
                total = self.upstream_value("a") + self.upstream_value("b")
                return dist.Normal(total + shift, scale)

    Args:
        model: A Pyro model.
        init_loc_fn: The initialisation strategy of the locations.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.
        amortized_plates: Names of plates along which the parameters are shared.
    """

    def get_posterior(self, name: str, prior: Any) -> Any:
        """A Normal, mapped onto the support that the site has in this call."""
        loc, scale = self._get_params(name, prior)
        return self._normal(name, prior, loc, scale)

    def _normal(self, name: str, prior: Any, loc: Tensor, scale: Tensor) -> Any:
        """A Normal in the unconstrained space of a site, mapped onto its support.

        Args:
            name: The site.
            prior: Its distribution in the model.
            loc: Its location there.
            scale: Its scale, of the same shape.
        """
        transform = bijection({"name": name, "fn": prior})
        mask = site_mask({"fn": prior, "mask": None})
        if mask.elements is not None:
            transform = entry_transform(transform, mask)
        normal = dist.Normal(loc, scale).to_event(transform.domain.event_dim)
        # The cache spares the inverse at scoring, and keeps its rounding out of the density.
        posterior = dist.TransformedDistribution(normal, transform.with_cache())
        return posterior if mask.elements is None else mask_entries(posterior, mask)
