"""A Gaussian that was fitted to a log density, together with that density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from autoguide_core.annealing import Annealed, Base, NormalMixture, StandardNormal, anneal
from autoguide_core.annealing.anneal import Report
from autoguide_core.engine.curvature.compiled import CompiledGradients
from autoguide_core.engine.curvature.mode import Mode
from autoguide_core.engine.curvature.search import POINTS_PER_CALL, Search
from autoguide_core.engine.curvature.whitening import by_curvature

_LEAST_SHARE = 0.05
"""What each of several modes gets of the draws that annealing begins with, at least."""


@dataclass(frozen=True)
class FittedGaussian:
    """The normal approximation that a fit ends with, in the coordinates of its density.

    Attributes:
        search: The density, and its modes.
        centre: Mean, shape (D,).
        factor: A root of the covariance, (D, D).
    """

    search: Search
    centre: torch.Tensor
    factor: torch.Tensor

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy is compiled again when it is used: compiled code belongs to a process."""
        return type(self), (replace(self.search, compiled=None), self.centre, self.factor)

    @cached_property
    def gradients(self) -> CompiledGradients:
        """The density, compiled."""
        search = self.search
        return search.compiled or CompiledGradients(
            search.gradients, len(self.centre), POINTS_PER_CALL
        )

    @property
    def modes(self) -> Sequence[Mode]:
        """The modes of the density that count."""
        return self.search.modes

    def draw(self, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw from the Gaussian.

        Args:
            count: How many draws, S.
            seed: Seed of the draws.

        Returns:
            Points (S, D), their log density under the posterior (S,), and under the Gaussian.
        """
        base = StandardNormal(len(self.centre))
        noise = base.sample(count, torch.Generator().manual_seed(seed))
        points = self.centre + noise @ self.factor.T
        log_p, _ = self.gradients.value_and_grad(points)
        if not self.gradients.holds_at(points):
            log_p, _ = self.gradients.value_and_grad(points)
        log_q, _ = base.score(noise)
        return points, log_p, log_q - torch.linalg.slogdet(self.factor)[1]

    def anneal(self, count: int, seed: int, most: int, report: Report) -> Annealed:
        """Draw from the posterior, by annealing from the Gaussian, or from all modes that count.

        Args:
            count: How many draws, S.
            seed: Seed of all random numbers.
            most: Gradients after which it gives up.
            report: See ``annealing.anneal``.

        Returns:
            The draws, in the coordinates of the density.
        """
        found = self._annealed(count, seed, most, report)
        if not self.gradients.holds_at(found.points):
            found = self._annealed(count, seed, most, report)
        return found

    def _annealed(self, count: int, seed: int, most: int, report: Report) -> Annealed:
        centre, factor = self.centre, self.factor

        def whitened(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            log_p, slopes = self.gradients.value_and_grad(centre + points @ factor.T)
            return log_p, slopes @ factor

        found = anneal(whitened, self._base(), count, seed, most, report)
        return replace(found, points=centre + found.points @ factor.T)

    def _base(self) -> Base:
        if len(self.modes) < 2:
            return StandardNormal(len(self.centre))
        whitenings = [by_curvature(mode.point, mode.hessian) for mode in self.modes]
        means = [self._whitened(w.centre - self.centre) for w in whitenings]
        factors = [self._whitened(w.matrix) for w in whitenings]
        masses = torch.tensor([mode.log_mass for mode in self.modes], dtype=torch.float64)
        shares = torch.softmax(masses, 0).clamp(min=_LEAST_SHARE)
        return NormalMixture(torch.stack(means), torch.stack(factors), shares / shares.sum())

    def _whitened(self, vectors: torch.Tensor) -> torch.Tensor:
        columns = vectors.reshape(len(self.centre), -1)
        return torch.linalg.solve(self.factor, columns).reshape(vectors.shape)
