"""Particles between a standard normal and a posterior, in whitened coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Log densities (S,) and gradients (S, D) at points (S, D)."""


@dataclass
class Particles:
    """Positions with what the posterior says of them.

    Attributes:
        at: Positions, shape (S, D).
        log_p: Log density of the posterior there, (S,); -inf where it is not finite.
        slope: Its gradient, (S, D); zero where it is not finite.
    """

    at: Tensor
    log_p: Tensor
    slope: Tensor

    @classmethod
    def of(cls, evaluate: Evaluate, at: Tensor) -> Particles:
        """Evaluate the posterior at positions."""
        log_p, slope = evaluate(at)
        good = log_p.isfinite() & slope.isfinite().all(1)
        return cls(at, torch.where(good, log_p, -torch.inf), torch.where(good[:, None], slope, 0.0))

    def log_density(self, temperature: float) -> Tensor:
        """Log density ``(1 - t) log q + t log p`` of the path from the standard normal q, (S,)."""
        log_q = -0.5 * self.at.square().sum(1)
        if temperature == 0.0:
            return log_q
        return (1.0 - temperature) * log_q + temperature * self.log_p

    def log_slope(self, temperature: float) -> Tensor:
        """The gradient of ``log_density``, (S, D)."""
        return (temperature - 1.0) * self.at + temperature * self.slope

    def take(self, index: Tensor) -> Particles:
        """The particles of the given places."""
        return Particles(self.at[index], self.log_p[index], self.slope[index])

    def where(self, accepted: Tensor, other: Particles) -> Particles:
        """``other`` where accepted (S,), and these elsewhere."""
        column = accepted[:, None]
        return Particles(
            torch.where(column, other.at, self.at),
            torch.where(accepted, other.log_p, self.log_p),
            torch.where(column, other.slope, self.slope),
        )
