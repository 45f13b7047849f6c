"""A Gaussian fitted to a whitened log density, with hand-written gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from autoguide_core.engine.averaging import IterateAverage
from autoguide_core.engine.convergence import Drift
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.whitening import Whitening
from autoguide_core.engine.eager_optimiser import Optimiser
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.schedules import rate_factor
from autoguide_core.engine.settings import FitSettings

RATE = 0.03
PARTICLES = 16
_CLIP = 10.0
_FAILURES_ALLOWED = 50


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution in the unconstrained space, and how it was reached.

    Attributes:
        loc: Mean, shape (D,).
        factor: A square root of the covariance, ``factor @ factor.T``, shape (D, D).
        elbo: The ELBO at each step, in nats.
        drift: The record of the parameters' travel.
    """

    loc: torch.Tensor
    factor: torch.Tensor
    elbo: npt.NDArray[np.float64]
    drift: Drift


def fit_gaussian(
    gradients: Gradients,
    whitening: Whitening,
    settings: FitSettings,
    report: Callable[[int, int, float], None],
    *,
    full_rank: bool = True,
) -> Gaussian:
    """Maximise the ELBO over Gaussians, from N(0, I) in the whitened space.

    The gradient is the "sticking the landing" one, whose noise vanishes as the Gaussian meets the
    posterior: with ``u = m + C e``, the path derivative of ``log p - log q`` is
    ``r = Wᵀ ∇log p(z) + C⁻ᵀ e``; it gives ``r`` for m and the lower triangle of ``r eᵀ`` for C.

    Source: Roeder, Wu and Duvenaud, "Sticking the landing" (2017).

    Args:
        gradients: The log density.
        whitening: The map into the space in which one step size fits all.
        settings: Steps, schedule, seed, learning rate, averaging. At least 16 particles are used.
        report: Called with step, steps, and the ELBO.
        full_rank: Whether C is a lower triangle, or else diagonal.

    Returns:
        The Gaussian, mapped back.

    Raises:
        FitError: If the density is not a finite number at step after step.
    """
    dim, device = len(whitening.centre), whitening.centre.device
    particles = max(PARTICLES, settings.particles)
    free = torch.zeros(dim, dim + 2, dtype=torch.float64, device=device)
    mean, log_scale, lower = free[:, 0], free[:, 1], free[:, 2:]
    optimiser = Optimiser(settings.optimizer, [free], {"lr": RATE, **settings.optimizer_options})
    average = IterateAverage([free], settings.steps)
    drift = Drift({"loc": mean, "scale": log_scale}, settings.steps)
    generator = torch.Generator(device=device).manual_seed(settings.seed)
    constant = whitening.log_det + 0.5 * dim * math.log(2.0 * math.pi)
    history, failures = np.empty(settings.steps), 0
    for step in range(settings.steps):
        noise = torch.randn(particles, dim, generator=generator, dtype=free.dtype, device=device)
        scale = log_scale.exp()
        factor = lower + torch.diag(scale)
        log_p, slope = gradients.value_and_grad(whitening(mean + noise @ factor.T))
        terms = log_p + 0.5 * noise.square().sum(1)
        residual = slope @ whitening.matrix
        residual += torch.linalg.solve_triangular(factor, noise, upper=False, left=False)
        if not math.isfinite(float(terms.sum() + residual.sum())):
            failures += 1
            if failures > max(_FAILURES_ALLOWED, step // 2):
                raise FitError("the log density is not a finite number around its mode")
            kept = torch.isfinite(terms) & torch.isfinite(residual).all(1)
            terms, residual, noise = terms[kept], residual[kept], noise[kept]
        history[step] = float(terms.mean() + log_scale.sum()) + constant
        if len(terms):
            outer = residual.T @ noise / len(terms)
            slopes = [residual.mean(0)[:, None], (torch.diagonal(outer) * scale)[:, None]]
            slopes.append(outer.tril(-1) if full_rank else torch.zeros_like(outer))
            free.grad = _clip(-torch.cat(slopes, dim=1), _CLIP * math.sqrt(dim))
            fraction = rate_factor(settings.schedule, step, settings.steps)
            optimiser.step(fraction)
            average.update()
            drift.update(step, optimiser.rate * fraction)
        report(step + 1, settings.steps, history[step])
    if settings.averaging:
        average.write_back()
    factor = whitening.matrix @ (lower + torch.diag(log_scale.exp()))
    return Gaussian(whitening(mean[None])[0], factor, history, drift)


def _clip(gradient: torch.Tensor, limit: float) -> torch.Tensor:
    norm = float(gradient.norm())
    return gradient * (limit / norm) if norm > limit else gradient
