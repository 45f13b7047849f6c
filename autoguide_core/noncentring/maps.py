"""The map from standard scale to a latent, given its parents."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.noncentring.priors import LocationScale


@dataclass(frozen=True)
class Conditional:
    """A normal distribution of a latent given its parents: its prior, and what the data say of it.

    Say that the prior is N(m, s²), and that the rest of the model tells of the latent what one
    observation would with precision P, and location L. Given the parents the latent then has the
    variance ``v = s² / (1 + P s²)`` and the mean ``m + v (P L - P m)``. The latent is drawn as that
    mean plus its root times a standard number. With P = 0 this is the non-centred form; the larger
    P, the nearer it comes to the centred one. Where the rest is normal the standard numbers are
    independent of the parents under the posterior, whatever the data: neither a funnel nor a
    ridge is left.

    Source: Papaspiliopoulos, Roberts and Sköld, "A general framework for the parametrization of
    hierarchical models" (2007), whose partial non-centring it is with weights that follow the
    parents.

    Attributes:
        prior: m and s; for a vector with covariance, m and a Cholesky factor.
        precision: P, of the shape of the latent's unconstrained value, not negative.
        pull: P L, of the same shape.
    """

    prior: LocationScale
    precision: Tensor
    pull: Tensor

    def __call__(self, standard: Tensor) -> tuple[Tensor, Tensor]:
        """Map standard numbers to the latent's unconstrained value.

        Args:
            standard: Shape (..., *shape of the value).

        Returns:
            The value, and the logarithm of the map's Jacobian determinant summed over the value's
            entries as torch's transforms have it: a scalar for each draw is had by ``sum``.
        """
        loc = self.prior.loc
        if self.prior.is_factor:
            mean, root, log_det = self._joint()
            value = mean + (root @ standard.unsqueeze(-1)).squeeze(-1)
            return value, log_det.expand(standard.shape[:-1])
        scale = self.prior.scale
        shrink = 1.0 + self.precision * scale * scale
        variance = scale * scale / shrink
        value = loc + variance * (self.pull - self.precision * loc)
        value = value + scale * shrink.rsqrt() * standard
        return value, (scale.log() - 0.5 * shrink.log()).expand(standard.shape)

    def inverse(self, value: Tensor) -> Tensor:
        """The standard numbers of a value."""
        loc, scale = self.prior.loc, self.prior.scale
        if self.prior.is_factor:
            mean, root, _ = self._joint()
            return torch.linalg.solve(root, (value - mean).unsqueeze(-1)).squeeze(-1)
        shrink = 1.0 + self.precision * scale * scale
        mean = loc + scale * scale / shrink * (self.pull - self.precision * loc)
        return (value - mean) * shrink.sqrt() / scale

    def _joint(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, a root of the covariance, and its log determinant, of a vector with covariance.

        With the prior's factor L, the root is ``L C⁻ᵀ`` where ``C Cᵀ = I + Lᵀ P L``.
        """
        loc, factor = self.prior.loc, self.prior.scale
        size = factor.shape[-1]
        identity = torch.eye(size, dtype=factor.dtype, device=factor.device)
        inner = torch.linalg.cholesky(
            identity + factor.mT @ (self.precision.unsqueeze(-1) * factor)
        )
        root = torch.linalg.solve_triangular(inner, factor.mT, upper=False).mT
        surplus = (self.pull - self.precision * loc).unsqueeze(-1)
        mean = loc + (root @ (root.mT @ surplus)).squeeze(-1)
        diagonals = factor.diagonal(dim1=-2, dim2=-1), inner.diagonal(dim1=-2, dim2=-1)
        return mean, root, diagonals[0].log().sum(-1) - diagonals[1].log().sum(-1)
