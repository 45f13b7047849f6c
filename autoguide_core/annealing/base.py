"""Where annealing begins: a standard normal, or a mixture of normals, in whitened coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Base(Protocol):
    """A distribution that can be drawn from and scored; both log densities are normalised."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws, shape (S, D)."""
        ...

    def score(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities (S,) and gradients (S, D) at points (S, D)."""
        ...

    def part_of(self, at: Tensor) -> Tensor:
        """The part of the distribution that each of the points (S, D) belongs to, int64 (S,)."""
        ...


@dataclass(frozen=True)
class StandardNormal:
    """The standard normal of dimension ``dim``."""

    dim: int

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws; see `Base`."""
        return torch.randn(count, self.dim, generator=generator, dtype=torch.float64)

    def score(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities and gradients; see `Base`."""
        return -0.5 * (at.square().sum(1) + self.dim * math.log(2.0 * math.pi)), -at

    def part_of(self, at: Tensor) -> Tensor:
        """There is one part; see `Base`."""
        return torch.zeros(len(at), dtype=torch.int64)


@dataclass(frozen=True)
class NormalMixture:
    """A mixture of K normals, for a posterior of several modes.

    Attributes:
        means: Shape (K, D).
        factors: Roots of the covariances, (K, D, D).
        weights: Shares, (K,).
    """

    means: Tensor
    factors: Tensor
    weights: Tensor

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws; see `Base`."""
        which = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        return self.means[which] + torch.einsum("sij,sj->si", self.factors[which], noise)

    def score(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities and gradients; see `Base`."""
        terms, slopes = self._terms(at)
        shares = torch.softmax(terms, 1)
        return terms.logsumexp(1), torch.einsum("sk,skj->sj", shares, slopes)

    def part_of(self, at: Tensor) -> Tensor:
        """The normal that is most likely to have given a point; see `Base`."""
        return self._terms(at)[0].argmax(1)

    def _terms(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Log densities (S, K) of the weighted normals, and their gradients (S, K, D)."""
        inverses = torch.linalg.inv(self.factors)
        noise = torch.einsum("kij,skj->ski", inverses, at[:, None] - self.means)
        constant = self.weights.log() - torch.linalg.slogdet(self.factors)[1]
        constant = constant - 0.5 * at.shape[1] * math.log(2.0 * math.pi)
        return constant - 0.5 * noise.square().sum(2), -torch.einsum(
            "kij,ski->skj", inverses, noise
        )
