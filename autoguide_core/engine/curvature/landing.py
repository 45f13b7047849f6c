"""One estimate of the ELBO of a Gaussian, and of its gradient, in the whitened space."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.whitening import Whitening
from autoguide_core.engine.estimators.estimate import Carry, Estimate

_RECORDED_WITHIN = 1e-3
"""How far around a point of finite density the step is recorded; a matrix has a factor there."""
ValuesAndSlopes = Callable[[Tensor], tuple[Tensor, Tensor]]

_FAILURES_ALLOWED = 50


class LandingEstimator:
    """Estimates the ELBO of ``N(m, C Cᵀ)``, and its gradient by "sticking the landing".

    With ``u = m + C e`` and ``z = centre + W u``, the path derivative of ``log p - log q`` is
    ``r = Wᵀ ∇log p(z) + C⁻ᵀ e``; it gives ``r`` for m and the lower triangle of ``r eᵀ`` for C.
    Its noise vanishes as the Gaussian meets the posterior.

    What tells one run from another (the whitening, the shape of C) is carried from step to step
    unchanged, and so is an input of the compiled step: all runs on one density share it.

    Draws whose density is not a finite number are left out. A step that has no others stands
    still but for the optimizer's momentum, and repeats the ELBO of the step before. Where steps
    that left draws out outnumber the others by 50, the ELBO is NaN, which ends the run.

    Source: Roeder, Wu and Duvenaud, "Sticking the landing" (2017).

    Args:
        gradients: The log density, evaluated at S points (S, D) at once.
        free: The parameters, flat: m (D), the logarithm of C's diagonal (D), and a matrix (D, D)
            of which C takes what is below the diagonal. Shape (D² + 2 D,).
        start: A point of finite density, shape (D,).
        particles: Draws per estimate, S.
    """

    def __init__(self, gradients: Gradients, free: Tensor, start: Tensor, particles: int) -> None:
        self._gradients = gradients
        self._free = free
        self._start, self._dim = start, len(start)
        self._particles = particles

    def start(self) -> Carry:
        """The carry of a full-rank run close to the start, with which a step can be recorded."""
        near = _RECORDED_WITHIN * torch.eye(self._dim).to(self._free)
        log_det = self._dim * math.log(_RECORDED_WITHIN)
        return self.carry_of(Whitening(self._start.clone(), near, log_det), full_rank=True)

    def carry_of(self, whitening: Whitening, *, full_rank: bool) -> Carry:
        """The carry at the start of a run.

        Args:
            whitening: The map into the space in which one step size fits all.
            full_rank: Whether C is a lower triangle, or else diagonal.
        """
        ones = torch.ones_like(whitening.matrix)
        offset = whitening.log_det + 0.5 * self._dim * math.log(2.0 * math.pi)
        return {
            "centre": whitening.centre,
            "matrix": whitening.matrix,
            "offset": ones.new_tensor(offset),
            "below": ones.tril(-1) if full_rank else torch.zeros_like(ones),
            "failures": ones.new_tensor(0.0),
            "elbo": ones.new_tensor(math.nan),
        }

    def __call__(self, carry: Mapping[str, Tensor]) -> Estimate:
        """Estimate once; see `Estimator`."""
        like = carry["matrix"]
        noise = torch.randn(self._particles, self._dim, dtype=like.dtype, device=like.device)
        with torch.no_grad():
            # A record is not to hold what is done about one bad point.
            gradients = self._gradients
            evaluate = gradients.value_and_grad if gradients.obstacle else gradients.all_at_once
            elbo, slopes, new = self._estimate(carry, noise, evaluate)
        return Estimate(elbo, (self._free * slopes).sum(), new)

    def estimate(self, carry: Mapping[str, Tensor], noise: Tensor) -> tuple[Tensor, Tensor, Carry]:
        """Estimate once, without reverse mode, from given standard normal noise.

        Args:
            carry: What the step before has left.
            noise: Shape (S, D).

        Returns:
            The ELBO in nats (0-d), its gradient (D² + 2 D,) and the new carry.
        """
        return self._estimate(carry, noise, self._gradients.value_and_grad)

    def _estimate(
        self, carry: Mapping[str, Tensor], noise: Tensor, evaluate: ValuesAndSlopes
    ) -> tuple[Tensor, Tensor, Carry]:
        dim, below, matrix = self._dim, carry["below"], carry["matrix"]
        mean, log_scale, lower = split(self._free, dim)
        scale = log_scale.exp()
        factor = lower * below + torch.diag_embed(scale)
        points = carry["centre"] + (mean + noise @ factor.T) @ matrix.T
        log_p, slope = evaluate(points)
        residual = slope @ matrix
        residual = residual + torch.linalg.solve_triangular(factor, noise, upper=False, left=False)
        kept = log_p.isfinite() & residual.isfinite().all(1)
        count = kept.to(matrix.dtype).sum()
        weight = 1.0 / count.clamp(min=1.0)
        terms = torch.where(kept, log_p + 0.5 * (noise * noise).sum(1), 0.0)
        residual = torch.where(kept[:, None], residual, 0.0) * weight
        outer = residual.T @ noise
        along_scale = (residual * noise).sum(0) * scale
        slopes = torch.cat([residual.sum(0), along_scale, (outer * below).reshape(-1)])
        failures = carry["failures"] + torch.where(count < self._particles, 1.0, -1.0)
        failures = failures.clamp(min=0.0)
        elbo = terms.sum() * weight + log_scale.sum() + carry["offset"]
        elbo = torch.where(count > 0.0, elbo, carry["elbo"])
        elbo = torch.where(failures > _FAILURES_ALLOWED, math.nan, elbo)
        return elbo, slopes, {**carry, "failures": failures, "elbo": elbo}


def split(free: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (D,), logarithm of the diagonal (D,) and matrix (D, D) of flat parameters, as views."""
    mean, log_scale, lower = free.split([dim, dim, dim * dim])
    return mean, log_scale, lower.view(dim, dim)
