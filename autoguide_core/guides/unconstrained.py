"""What the guides share that draw in unconstrained space and map the draws onto the supports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from pyro import poutine
from torch import Tensor
from torch.distributions import biject_to

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.draws import NUM_QUANTILE_DRAWS, quantiles_of_draws
from autoguide_core.guides.live import current_sites
from autoguide_core.guides.supports import (
    constrain,
    hold_masked,
    is_elementwise,
    monotone_quantiles,
)
from autoguide_core.initialization import Site


class UnconstrainedGuide(AutoGuide):
    """Base of the guides whose random part lives in unconstrained space.

    A derived class says what it knows of itself there: `_marginals`, `_unconstrained_draws` and
    `_score_unconstrained`. Summaries, draws and densities on the supports follow from these.
    """

    # --- What a family knows of itself --------------------------------------------------------

    def _names(self) -> Iterable[str]:
        """The sites, in the order in which they are drawn and told."""
        return [name for name, _ in self._sites()]

    def _marginals(self, *args: Any, **kwargs: Any) -> dict[str, tuple[Tensor, Tensor]]:
        """Location and scale of the sites whose entries are Normal, at full size."""
        return {}

    def _unconstrained_draws(
        self, num_samples: int, /, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Draws of each site, each of shape (num_samples, *full unconstrained shape)."""
        raise NotImplementedError

    def _score_unconstrained(self, unconstrained: dict[str, Tensor]) -> Tensor:
        """The log density of joint draws in unconstrained space; shape (S,).

        Args:
            unconstrained: For each site of the guide a tensor (S, *full unconstrained shape).
        """
        raise NotImplementedError(f"The density of {type(self).__name__} is not known.")

    def _has_density(self, name: str) -> bool:
        """Whether a site has a density; a point has none, and no Jacobian counts for it."""
        return True

    # --- In a call ----------------------------------------------------------------------------

    def _images(
        self, unconstrained: Mapping[str, Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterator[tuple[str, Site, Tensor, Tensor | float]]:
        """Map the draws of this call onto the supports, as these and the masks now stand.

        Args:
            unconstrained: The draw of each site; extra batch dims on the left are kept.
            args: Positional arguments of the model.
            kwargs: Keyword arguments of the model.

        Yields:
            Each site's name, prototype, value and log density of the map.
        """
        supports = self._current_supports(unconstrained, *args, **kwargs)
        masks = self._current_masks(*args, **kwargs)
        with_density = poutine.get_mask() is not False
        for name, site in self._sites():
            event_dim, draw = site["fn"].event_dim, unconstrained[name]
            value, log_density = constrain(
                supports[name], event_dim, draw, masks[name], with_density=with_density
            )
            if with_density:
                draw_event_dim = event_dim + draw.dim() - value.dim()
                log_density = hold_masked(log_density, draw, draw_event_dim, masks[name])
            yield name, site, value, log_density

    # --- Results ------------------------------------------------------------------------------

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The images on the supports of the unconstrained medians, at full size.

        For a support with an elementwise bijection this is the median of each entry. For others
        (a simplex, say) it lies in the support all the same. Where the entries are Normal in
        unconstrained space their locations are taken, and medians over draws elsewhere.
        """
        self._ensure_prototype(*args, **kwargs)
        centres: dict[str, Tensor] = {}
        draws: dict[str, Tensor] = {}
        with torch.no_grad():
            marginals = self._marginals(*args, **kwargs)
            for name in self._names():
                if name in marginals:
                    centres[name] = marginals[name][0]
                else:
                    draws = draws or self._unconstrained_draws(NUM_QUANTILE_DRAWS, *args, **kwargs)
                    centres[name] = quantiles_of_draws(draws[name], [0.5])[0]
        return self._on_supports(centres, *args, **kwargs)

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles of each entry of each site, at full size.

        Exact where the entries are Normal in unconstrained space and the bijection of the support
        is elementwise; over draws in all other cases.

        Args:
            quantiles: Probabilities, Q of them.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each site a tensor of shape (Q, *full site shape).
        """
        self._ensure_prototype(*args, **kwargs)
        probabilities = quantiles if isinstance(quantiles, Tensor) else list(quantiles)
        draws: dict[str, Tensor] = {}
        result = {}
        with torch.no_grad():
            marginals = self._marginals(*args, **kwargs)
            for name in self._names():
                support = self._supports[name]
                is_fixed = name in marginals and name not in self._sources()
                if is_fixed and is_elementwise(biject_to(support)):
                    loc, scale = marginals[name]
                    q = torch.as_tensor(probabilities, dtype=loc.dtype, device=loc.device)
                    result[name] = monotone_quantiles(support, loc, scale, q)
                else:
                    draws = draws or self.sample_posterior(NUM_QUANTILE_DRAWS, *args, **kwargs)
                    result[name] = quantiles_of_draws(draws[name], probabilities)
        return result

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from the guide many times at once; see `AutoGuide.sample_posterior`."""
        self._ensure_prototype(*args, **kwargs)
        if self._sources():
            return super().sample_posterior(num_samples, *args, **kwargs)
        with torch.no_grad():
            draws = self._unconstrained_draws(num_samples, *args, **kwargs)
            return {name: biject_to(self._supports[name])(draws[name]) for name, _ in self._sites()}

    def _score(self, draws: dict[str, Tensor], /, *args: Any, **kwargs: Any) -> Tensor:
        if not self._live_supports:
            return self._score_on(self._supports, draws)
        with self._full_size_plates():
            self._root()._create_plates(*args, **kwargs)
            self.plates = self._root().plates
            self._check_live_sources(self._root(), set(draws))
            scores = []
            for index in range(len(next(iter(draws.values())))):  # each has supports of its own
                values = {name: value[index] for name, value in draws.items()}
                now = current_sites(
                    self._full_model(),
                    args,
                    kwargs,
                    plates=self.plates,
                    values=values,
                    unconstrained={},
                    wanted=self._live_supports,
                )
                moved = {name: now[name]["fn"].support for name in self._live_supports}
                one = {name: value[None] for name, value in values.items()}
                scores.append(self._score_on(self._supports | moved, one))
        return torch.cat(scores)

    def _score_on(self, supports: Mapping[str, Any], draws: Mapping[str, Tensor]) -> Tensor:
        """The log density of joint draws on given supports; shape (S,)."""
        log_jacobian: Tensor | float = 0.0
        unconstrained = {}
        for name, _ in self._sites():
            transform = biject_to(supports[name])
            value = unconstrained[name] = transform.inv(draws[name])
            if self._has_density(name):
                of_site = transform.log_abs_det_jacobian(value, draws[name])
                log_jacobian = log_jacobian + of_site.reshape(len(draws[name]), -1).sum(-1)
        return self._score_unconstrained(unconstrained) - log_jacobian
