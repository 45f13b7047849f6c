"""One estimate of the ELBO of a Gaussian, and of its gradient, in the whitened space."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from autoguide_core.engine.curvature.whitening import Whitening
from autoguide_core.engine.estimators.estimate import Carry, Estimate

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
        evaluate: Log densities (S,) and their gradients (S, D) at S points (S, D).
        free: The parameters, flat: m (D), the logarithm of C's diagonal (D), and a matrix (D, D)
            of which C takes what is below the diagonal. Shape (D² + 2 D,).
        dim: D.
        particles: Draws per estimate, S.
    """

    def __init__(self, evaluate: ValuesAndSlopes, free: Tensor, dim: int, particles: int) -> None:
        self._evaluate = evaluate
        self._free = free
        self._dim = dim
        self._particles = particles

    def start(self) -> Carry:
        """The carry of a full-rank run that is not whitened."""
        return self.carry_of(
            Whitening(self._free.new_zeros(self._dim), torch.eye(self._dim).to(self._free), 0.0),
            full_rank=True,
        )

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
            elbo, slopes, new = self.estimate(carry, noise)
        return Estimate(elbo, (self._free * slopes).sum(), new)

    def estimate(self, carry: Mapping[str, Tensor], noise: Tensor) -> tuple[Tensor, Tensor, Carry]:
        """Estimate once, without reverse mode, from given standard normal noise.

        Args:
            carry: What the step before has left.
            noise: Shape (S, D).

        Returns:
            The ELBO in nats (0-d), its gradient (D² + 2 D,) and the new carry.
        """
        dim, below, matrix = self._dim, carry["below"], carry["matrix"]
        mean, log_scale, lower = split(self._free, dim)
        scale = log_scale.exp()
        factor = lower * below + torch.diag_embed(scale)
        points = carry["centre"] + (mean + noise @ factor.T) @ matrix.T
        log_p, slope = self._evaluate(points)
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
