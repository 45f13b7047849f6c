"""`AutoStructured`: noise site by site, sheared along the dependencies between the sites."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor

from autoguide_core.guides.draws import align_draws
from autoguide_core.guides.naming import get_deep
from autoguide_core.guides.structured.chain import StructuredChain
from autoguide_core.guides.structured.linear import marginal_scale, sheared_factor
from autoguide_core.guides.supports import (
    SiteMask,
    constrain,
    hold_masked,
)

_DRAW_PLATE = "_structured_draws"


class AutoStructured(StructuredChain):
    """A guide with noise for each site and dependencies between the sites.

    In unconstrained space, site ``y`` that depends on site ``x`` has the value ``loc_y + dev_y``,
    where ``dev_y = noise_y + W dev_x``. With Normal noise and linear dependencies this is a Normal
    over all sites, whose precision matrix has blocks where the dependencies are ("Gaussian
    variational approximation with sparse precision matrices", Tan and Nott 2018,
    https://arxiv.org/abs/1605.05622). By default the dependencies are those of the model's
    posterior, drawn in the model's order (after Webb et al. 2018,
    https://arxiv.org/abs/1712.00287). The interface is that of Pyro's guide of this name::

        guide = AutoStructured(
            model,
            conditionals={"tau": "normal", "mu": "mvn", "theta": "normal"},
            dependencies={"theta": {"tau": "linear", "mu": "linear"}},
        )

    A site in a subsampled plate can have the conditional "normal" or "delta" and depend on sites
    outside such plates; its parameters have full size.

    Args:
        model: A Pyro model whose latent sites are all continuous.
        conditionals: The kind of noise, for all sites or by site: "delta" (none), "normal"
            (independent entries), "mvn" (a Cholesky factor), or, by site, a callable that returns
            centred noise of shape (D,), drawn with `pyro.sample`, D the number of unconstrained
            entries of the site. The density of a callable's noise is that of its own sample sites.
        dependencies: "linear", for the dependencies that the posterior has; or by site, for each
            site that it depends on, "linear" or a callable from the upstream deviation, shape
            (..., U), to that of the site, shape (..., D). No site may depend on itself, and there
            may be no circles; a site may depend on one that comes later in the model.
        init_loc_fn: The initialisation strategy of the locations.
        init_scale: The initial scale of the noise; or scales by site name, 0.1 for the rest.
        create_plates: As for `AutoGuide`.

    Attributes:
        conditionals: The conditional of each site; set at the first call.
        dependencies: The dependencies by site; set at the first call.
        locs: Holds a location for each site, flat, shape (D,).
        scales: Holds a scale for each site with the conditional "normal" or "mvn", shape (D,).
        scale_trils: Holds a lower Cholesky factor for each site with "mvn", shape (D, D); the
            factor of the noise's covariance is ``scale[:, None] * scale_tril``.
        conds: Holds the callables among the conditionals.
        deps: Holds ``deps.<site>.<upstream>``: an `nn.Linear` without bias, whose weight has shape
            (D, U) and starts at zero, or the callable given.

    Raises:
        ValueError: On construction, for a kind that does not exist or a bad ``init_scale``. At
            the first call, for a name that belongs to no site, a site without a conditional, a
            circle, dependencies that cannot be found in the model, a discrete or spherical site,
            or a site that needs entries outside its minibatch.
    """

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
        values, densities = self._draw(self._order)
        supports = self._current_supports(values, *args, **kwargs)
        masks = self._current_masks(*args, **kwargs)
        result = {}
        for name in self._order:
            delta = self._delta(name, supports[name], values[name], densities[name], masks[name])
            with self._site_plates(self.prototype_trace.nodes[name]):
                result[name] = pyro.sample(name, delta)
        return result

    def get_deltas(self, save_params: Iterable[str] | None = None) -> dict[str, Any]:
        """Emit the auxiliary sites and return each site's distribution, without emitting the site.

        This is what the reparameteriser `StructuredReparam` calls.

        Args:
            save_params: The sites wanted; only these and what they depend on are drawn. None for
                all.

        Returns:
            A `Delta` distribution for each site wanted.

        Raises:
            NotImplementedError: A support is not fixed.
        """
        if self._live_supports:
            name = min(self._live_supports)
            raise NotImplementedError(
                f"The support of site '{name}' changes from call to call, and without the model's "
                "arguments it cannot be known: reparameterise the site so that its support is "
                "fixed."
            )
        wanted = set(self._order if save_params is None else save_params)
        needed = set(wanted)
        for name in reversed(self._order):
            if name in needed:
                needed.update(self.dependencies.get(name, {}))
        values, densities = self._draw(name for name in self._order if name in needed)
        return {
            name: self._delta(
                name, self._supports[name], values[name], densities[name], self._masks[name]
            )
            for name in self._order
            if name in wanted
        }

    def _delta(
        self,
        name: str,
        support: Any,
        unconstrained: Tensor,
        noise_density: Tensor | float,
        mask: SiteMask,
    ) -> Any:
        event_dim = self.prototype_trace.nodes[name]["fn"].event_dim
        # A site without noise is estimated on its support itself, so that no Jacobian counts.
        has_noise = self.conditionals[name] != "delta"
        with_density = has_noise and poutine.get_mask() is not False
        value, log_density = constrain(
            support, event_dim, unconstrained, mask, with_density=with_density
        )
        if with_density:
            log_density = hold_masked(log_density, unconstrained, self._event_dims[name], mask)
            log_density = log_density + noise_density
        return dist.Delta(value, log_density, event_dim)

    # --- Results ------------------------------------------------------------------------------

    def _marginal_scales(self) -> dict[str, Tensor | None]:
        """The unconstrained marginal scale of each site, flat; None where it is not Normal."""
        factors: dict[str, dict[str, Tensor] | None] = {}
        scales: dict[str, Tensor | None] = {}
        for name in self._order:
            shears: list[tuple[Tensor, dict[str, Tensor]]] = []
            is_normal = not callable(self.conditionals[name])
            for upstream, dependency in self._read_dependencies(name):
                factor = factors[upstream]
                if self.dependencies[name][upstream] == "linear" and factor is not None:
                    shears.append((dependency.weight, factor))
                else:
                    is_normal = False
            if not is_normal:
                factors[name] = scales[name] = None
                continue
            own: dict[str, Tensor] = {}
            if self.conditionals[name] != "delta":
                scale, scale_tril = self._scales(name)
                own[name] = scale if scale_tril is None else scale[:, None] * scale_tril
            factors[name] = factor = sheared_factor(own, shears)
            scales[name] = marginal_scale(factor, get_deep(self.locs, self._paths[name]))
        return scales

    def _unconstrained_draws(self, num_samples: int, /, *args: Any, **kwargs: Any) -> Any:
        """Draws of the chain, not mapped to the supports: (num_samples, *full shape) by site."""
        root = self._root()
        with torch.no_grad(), self._full_size_plates():
            root._create_plates(*args, **kwargs)
            self._create_plates(*args, **kwargs)
            with pyro.plate(_DRAW_PLATE, num_samples, dim=-root._plate_depth - 1):
                values, _ = self._draw(self._order)
        return {
            name: align_draws(value, num_samples, self._shapes[name])
            for name, value in values.items()
        }

    def _names(self) -> Iterable[str]:
        return self._order

    def _marginals(self, *args: Any, **kwargs: Any) -> dict[str, tuple[Tensor, Tensor]]:
        marginals = {}
        for name, scale in self._marginal_scales().items():
            if scale is not None:
                loc, shape = get_deep(self.locs, self._paths[name]), self._shapes[name]
                marginals[name] = loc.reshape(shape), scale.reshape(shape)
        return marginals
