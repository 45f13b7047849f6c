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
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.optimisers import Optimiser
from autoguide_core.engine.schedules import rate_factor
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.tracing import Gradients
from autoguide_core.engine.whitening import Whitening

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
    dim = len(whitening.centre)
    particles = max(PARTICLES, settings.particles)
    options = {"lr": RATE, **settings.optimizer_options}
    like = {"dtype": torch.float64, "device": whitening.centre.device}
    mean, log_scale = torch.zeros(dim, **like), torch.zeros(dim, **like)
    lower = torch.zeros(dim, dim, **like)
    free = [mean, log_scale, lower] if full_rank and dim > 1 else [mean, log_scale]
    optimiser = Optimiser(settings.optimizer, free, options)
    average = IterateAverage(free, settings.steps)
    drift = Drift({"loc": mean, "scale": log_scale}, settings.steps)
    generator = torch.Generator(device=whitening.centre.device).manual_seed(settings.seed)
    constant = whitening.log_det + 0.5 * dim * math.log(2.0 * math.pi)
    history, failures = np.empty(settings.steps), 0
    for step in range(settings.steps):
        noise = torch.randn(particles, dim, generator=generator, **like)
        scale, log_det = log_scale.exp(), float(log_scale.sum())
        factor = lower + torch.diag(scale)
        log_p, slope = gradients.value_and_grad(whitening(mean + noise @ factor.T))
        finite = torch.isfinite(log_p) & torch.isfinite(slope).all(1)
        if not bool(finite.all()):
            failures += 1
            if failures > _FAILURES_ALLOWED and failures > step // 2:
                raise FitError("the log density is not a finite number around its mode")
        kept = max(int(finite.sum()), 1)
        slope = torch.where(finite[:, None], slope, 0.0)
        entropy_slope = torch.linalg.solve_triangular(factor.T, noise.T, upper=True).T
        residual = slope @ whitening.matrix + entropy_slope * finite[:, None]
        outer = residual.T @ noise / kept
        mean.grad = -residual.sum(0) / kept
        log_scale.grad = -torch.diagonal(outer) * scale
        if full_rank and dim > 1:
            lower.grad = -torch.tril(outer, -1)
        _clip(free, _CLIP * math.sqrt(dim))
        fraction = rate_factor(settings.schedule, step, settings.steps)
        optimiser.step(fraction)
        average.update()
        drift.update(step, optimiser.rate * fraction)
        log_q = -0.5 * noise.square().sum(1) - log_det
        history[step] = float((log_p - log_q)[finite].mean()) + constant if kept else math.nan
        report(step + 1, settings.steps, history[step])
    if settings.averaging:
        average.write_back()
    factor = lower + torch.diag(log_scale.exp())
    return Gaussian(whitening(mean[None])[0], whitening.matrix @ factor, history, drift)


def _clip(parameters: list[torch.Tensor], limit: float) -> None:
    for parameter in parameters:
        if parameter.grad is not None:
            norm = float(parameter.grad.norm())
            if norm > limit:
                parameter.grad *= limit / norm
