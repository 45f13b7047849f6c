"""Hamiltonian moves of many particles at once, which tune themselves."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoguide_core.annealing.particles import Particles, Path
from autoguide_core.annealing.parts import middles

_WANTED_ACCEPTANCE = 0.8
_LENGTH = 0.5 * math.pi
"""A quarter of a turn in a standard normal, after which a position has forgotten its start."""
_MOST_LEAPS = 32
_FIRST_STEP = 0.4
_CAREFUL_SHARE = 0.2
"""Share of the particles that take shorter steps in a move, for the necks of funnels."""
_PRIOR_WEIGHT = 10
_MOST_DENSE, _LEAST_SPREAD = 64, 1e-6


class Mover:
    """Makes Hamiltonian Monte Carlo moves, each of one trajectory of leapfrog steps.

    Step length and mass follow what the particles show: the acceptance of the move before, and
    their covariance. Source: Buchholz, Chopin and Jacob, "Adaptive tuning of Hamiltonian Monte
    Carlo within sequential Monte Carlo" (2021).

    Args:
        path: From the base to the posterior, in whitened coordinates.
        dim: D.
        generator: Where random numbers come from.
        most: Gradients after which it is exhausted.

    Attributes:
        acceptance: Mean probability of acceptance in the last move, or NaN before the first.
        evaluations: Gradients of the posterior taken so far.
    """

    def __init__(self, path: Path, dim: int, generator: torch.Generator, most: int) -> None:
        self.acceptance, self.evaluations = math.nan, 0
        self._path, self._generator, self._most = path, generator, most
        self._step = _FIRST_STEP / dim**0.25
        self._factor = torch.ones(dim, dtype=torch.float64)

    @property
    def is_exhausted(self) -> bool:
        """Whether it has taken as many gradients as it may; it can be used all the same."""
        return self.evaluations >= self._most

    def part_of(self, points: Tensor) -> Tensor:
        """The part of the base that each of the points (S, D) belongs to, (S,)."""
        return self._path.base.part_of(points)

    def adapt(self, points: Tensor) -> None:
        """Take the covariance of particles (S, D), within parts of the base, as the inverse mass.

        How far modes are apart tells nothing of how wide they are. The covariance is drawn to its
        diagonal where particles are few, and is just that in many dimensions: there the whitening
        of the coordinates has to do.
        """
        count, dim = points.shape
        points = points - middles(points, self.part_of(points))
        if dim > _MOST_DENSE:
            self._factor = points.std(0).clamp(min=_LEAST_SPREAD)
            return
        covariance = torch.cov(points.T).reshape(dim, dim)
        share = count / (count + _PRIOR_WEIGHT * dim)
        diagonal = torch.diag(torch.diagonal(covariance))
        covariance = share * covariance + (1.0 - share) * diagonal
        factor, failed = torch.linalg.cholesky_ex(covariance)
        self._factor = torch.diagonal(diagonal).sqrt() if failed else factor

    def move(self, particles: Particles, temperature: float) -> Particles:
        """Move every particle once, leaving the density of a temperature as it is."""
        count, dim = particles.points.shape
        leaps = self._leaps()
        careful = self._uniform(count) < _CAREFUL_SHARE
        step = self._step * torch.where(careful, 0.1 + 0.9 * self._uniform(count), 1.0)[:, None]
        # In coordinates in which the mass is one: position = points, momentum along factor.T.
        momentum = self._normal(count, dim)
        now, speed = particles, momentum
        for _ in range(leaps):
            speed = speed + 0.5 * step * self._scaled(now.slope(temperature))
            now = self._path.at(now.points + step * self._scaled(speed, transposed=True))
            speed = speed + 0.5 * step * self._scaled(now.slope(temperature))
        self.evaluations += leaps * count
        gain = now.log_density(temperature) - particles.log_density(temperature)
        gain = gain - 0.5 * speed.square().sum(1) + 0.5 * momentum.square().sum(1)
        probability = torch.nan_to_num(gain, nan=-torch.inf).clamp(max=0.0).exp()
        bold = probability[~careful]
        self.acceptance = float(bold.mean()) if len(bold) else float(probability.mean())
        self._step *= math.exp(self.acceptance - _WANTED_ACCEPTANCE)
        return particles.replaced(self._uniform(count) < probability, now)

    def _scaled(self, vectors: Tensor, *, transposed: bool = False) -> Tensor:
        """Vectors (S, D) times a root of the inverse mass, or times its transpose."""
        factor = self._factor
        if factor.dim() == 1:
            return vectors * factor
        return vectors @ (factor.T if transposed else factor)

    def _leaps(self) -> int:
        """Steps of a trajectory of random length, lest it meets a period of the posterior."""
        length = _LENGTH * (0.5 + float(self._uniform(1)))
        return int(max(1, min(_MOST_LEAPS, round(length / self._step))))

    def _uniform(self, count: int) -> Tensor:
        return torch.rand(count, generator=self._generator, dtype=torch.float64)

    def _normal(self, count: int, dim: int) -> Tensor:
        return torch.randn(count, dim, generator=self._generator, dtype=torch.float64)
