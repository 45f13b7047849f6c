"""The reparameterised gradient: every draw of the guide is a smooth function of its parameters.

Source: Kingma and Welling, "Auto-encoding variational Bayes" (2014); Rezende, Mohamed and Wierstra,
"Stochastic backpropagation and approximate inference in deep generative models" (2014).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from autoguide_core.engine.estimators.estimate import Carry, Estimate
from autoguide_core.engine.estimators.particles import Pair, Particles


def sampled_bound(pair: Pair) -> Tensor:
    """The log density of the model less that of the guide, at the draws, in nats; a scalar."""
    log_p = sum(site["log_prob_sum"] for _, site in pair.model_sites())
    log_q = sum(site["log_prob_sum"] for _, site in pair.guide_sites())
    return torch.as_tensor(log_p - log_q)


class Pathwise:
    """The mean of a bound over the particles, which is differentiable as it stands.

    Args:
        particles: Guide and model.
        bound: The bound that one pair of runs gives, a scalar.
    """

    def __init__(self, particles: Particles, bound: Callable[[Pair], Tensor]) -> None:
        self._particles = particles
        self._bound = bound

    def start(self) -> Carry:
        """Nothing goes from step to step."""
        return {}

    def __call__(self, carry: Mapping[str, Tensor]) -> Estimate:
        """Estimate the bound; see `Estimator`."""
        elbo = sum(self._bound(pair) for pair in self._particles.pairs()) / self._particles.count
        return Estimate(elbo.detach(), elbo, {})
