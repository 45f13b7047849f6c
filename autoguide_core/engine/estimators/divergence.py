"""Divergences of a guide's site from its prior in closed form, which have no noise of their own.

That is right for mean-field guides, and for all others where the guide's draw of a latent has no
influence on its draws of the latent's parents in the model.

Source: Kingma and Welling, "Auto-encoding variational Bayes" (2014), section 2.3, estimator B.
"""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions.util import scale_and_mask
from pyro.ops.provenance import get_provenance
from torch import Tensor
from torch.distributions import kl_divergence

from autoguide_core.engine.errors import FitError
from autoguide_core.engine.estimators.downstream import Marking, without_gradient
from autoguide_core.engine.estimators.particles import Pair, Particles
from autoguide_core.guides.emission import Point


class ClosedForm:
    """The bound at the draws, each site's divergence in closed form if there is one.

    A guide of this package draws at an auxiliary site and emits a `Point` at the model's; what the
    `Point` gives for the divergence leaves out the log density of the draw, which is counted where
    it was drawn.

    Args:
        sampled: Sites whose divergence is taken at the draw even if there is a closed form.
    """

    def __init__(self, sampled: frozenset[str]) -> None:
        self._sampled = sampled

    def __call__(self, pair: Pair) -> Tensor:
        """The bound in nats; a scalar.

        Raises:
            FitError: If a draw has no pathwise gradient; the first run had none of the kind.
        """
        for name in without_gradient(pair):
            raise FitError(
                f"the draws of site {name!r}, which the first run did not meet, have no pathwise "
                "gradient; leave out analytic_kl",
                site=name,
            )
        guide_sites = dict(pair.guide_sites())
        total: Tensor | float = 0.0
        for name, site in pair.model_sites():
            guide_site = guide_sites.get(name)
            if guide_site is None or name in self._sampled:
                divergence = None
            else:
                divergence = _divergence(guide_site["fn"], site["fn"])
            if guide_site is None or divergence is None:
                total = total + site["log_prob_sum"]
                continue
            del guide_sites[name]
            divergence = divergence.expand(guide_site["fn"].batch_shape)
            divergence = scale_and_mask(divergence, guide_site["scale"], guide_site["mask"])
            total = total - divergence.sum()
        return torch.as_tensor(total - sum(s["log_prob_sum"] for s in guide_sites.values()))


def entangled(particles: Particles) -> frozenset[str]:
    """The latents whose prior depends on what the guide draws with regard to them.

    There the mean over the latent's own draws alone is not the divergence from its prior.
    """
    names = [name for name, _ in next(particles.pairs()).guide_sites()]
    with Marking(names):
        pair = next(particles.pairs())
    above = {name: get_provenance(site["log_prob_sum"]) for name, site in pair.guide_sites()}
    return frozenset(
        name
        for name, site in pair.model_sites()
        if name in above
        and any(name in above[p] for p in get_provenance(site["log_prob_sum"]) - {name})
    )


def _divergence(guide: Any, prior: Any) -> Tensor | None:
    """The divergence in nats by batch element, or None where it has no closed form."""
    base = guide
    while isinstance(base, torch.distributions.Independent):
        base = base.base_dist
    if isinstance(base, dist.Delta) and not isinstance(base, Point):
        return None  # Pyro's rule for them forgets their log density
    try:
        divergence: Tensor = kl_divergence(guide, prior)
    except NotImplementedError:
        return None
    return divergence
