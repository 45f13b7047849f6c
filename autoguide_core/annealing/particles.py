"""Particles between a base distribution and a posterior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.annealing.base import Base

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Log densities (S,) and gradients (S, D) at points (S, D)."""


@dataclass(frozen=True)
class Path:
    """The distributions ``q^(1-t) p^t`` between a base q and a posterior p.

    Attributes:
        base: q.
        evaluate: p.
    """

    base: Base
    evaluate: Evaluate

    def at(self, points: Tensor) -> Particles:
        """Put particles at points (S, D)."""
        log_p, slope_p = self.evaluate(points)
        good = log_p.isfinite() & slope_p.isfinite().all(1)
        log_p = torch.where(good, log_p, -torch.inf)
        return Particles(
            points, *self.base.score(points), log_p, torch.where(good[:, None], slope_p, 0.0)
        )


@dataclass(frozen=True)
class Particles:
    """Positions with what base and posterior say of them.

    Attributes:
        points: Positions, shape (S, D).
        log_q: Log density of the base there, (S,).
        slope_q: Its gradient, (S, D).
        log_p: Log density of the posterior, (S,); -inf where it is not finite.
        slope_p: Its gradient, (S, D); zero where it is not finite.
    """

    points: Tensor
    log_q: Tensor
    slope_q: Tensor
    log_p: Tensor
    slope_p: Tensor

    def log_density(self, temperature: float) -> Tensor:
        """Log density of the path at a temperature from 0 to 1, (S,)."""
        return (1.0 - temperature) * self.log_q + temperature * self.log_p

    def slope(self, temperature: float) -> Tensor:
        """The gradient of ``log_density``, (S, D)."""
        return (1.0 - temperature) * self.slope_q + temperature * self.slope_p

    @property
    def log_weights(self) -> Tensor:
        """Log importance weights of the posterior against the base, (S,)."""
        return self.log_p - self.log_q

    def take(self, index: Tensor) -> Particles:
        """The particles of the given places."""
        return Particles(*(value[index] for value in self._values()))

    def replaced(self, accepted: Tensor, other: Particles) -> Particles:
        """``other`` where accepted (S,), and these elsewhere."""
        return Particles(
            *(
                torch.where(accepted[:, None] if new.dim() == 2 else accepted, new, old)
                for new, old in zip(other._values(), self._values(), strict=True)
            )
        )

    def _values(self) -> tuple[Tensor, ...]:
        return self.points, self.log_q, self.slope_q, self.log_p, self.slope_p
