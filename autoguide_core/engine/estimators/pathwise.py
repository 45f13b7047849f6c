"""The reparameterised gradient: every draw of the guide is a smooth function of its parameters.

Source: Kingma and Welling, "Auto-encoding variational Bayes" (2014); Rezende, Mohamed and Wierstra,
"Stochastic backpropagation and approximate inference in deep generative models" (2014).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autoguide_core.engine.estimators.estimate import Carry, Estimate
from autoguide_core.engine.estimators.particles import Pair, Particles


class Pathwise:
    """The mean of log p - log q over the particles, which is differentiable as it stands.

    Args:
        particles: Guide and model.
    """

    def __init__(self, particles: Particles) -> None:
        self._particles = particles

    def start(self) -> Carry:
        """Nothing goes from step to step."""
        return {}

    def __call__(self, carry: Mapping[str, Tensor]) -> Estimate:
        """Estimate the bound; see `Estimator`."""
        elbo = sum(self._bound(pair) for pair in self._particles.pairs()) / self._particles.count
        return Estimate(elbo.detach(), elbo, {})

    def _bound(self, pair: Pair) -> Tensor:
        """The log density of the model less that of the guide, in nats; a scalar."""
        pair.model.compute_log_prob()
        pair.guide.compute_log_prob()
        log_p = [site["log_prob_sum"] for _, site in pair.model_terms()]
        log_q = [site["log_prob_sum"] for _, site in pair.guide_terms()]
        return torch.as_tensor(sum(log_p) - sum(log_q))
