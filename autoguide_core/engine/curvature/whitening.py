"""An affine map after which a posterior is near a standard normal."""

from __future__ import annotations

from dataclasses import dataclass

import torch

_FLOOR_SHARE = 1e-2
_FLOOR = 1e-12


@dataclass(frozen=True)
class Whitening:
    """The map ``z = centre + matrix @ u``.

    Attributes:
        centre: Shape (D,).
        matrix: Shape (D, D), invertible.
        log_det: ``log |det matrix|``.
    """

    centre: torch.Tensor
    matrix: torch.Tensor
    log_det: float

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        """Map points (S, D) of the whitened space to the unconstrained space."""
        return self.centre + u @ self.matrix.T


def by_curvature(centre: torch.Tensor, hessian: torch.Tensor) -> Whitening:
    """Whiten by the Hessian of the negative log density.

    The Hessian is scaled to a unit diagonal before its eigenvalues are taken, so that no
    coordinate's unit matters. Eigenvalues that are not positive are raised to a hundredth of the
    median size; a Hessian that is positive definite is taken as it is.

    Args:
        centre: The point of expansion, shape (D,).
        hessian: Shape (D, D), symmetric.

    Returns:
        The map whose images of N(0, I) have the covariance ``hessian⁻¹``.
    """
    scale = torch.diagonal(hessian).abs().clamp(min=_FLOOR).sqrt()
    values, axes = torch.linalg.eigh(hessian / torch.outer(scale, scale))
    if bool((values <= 0).any()):
        values = values.clamp(min=_FLOOR_SHARE * float(values.abs().median()))
    values = values.clamp(min=_FLOOR)
    matrix = axes / (scale[:, None] * values.sqrt())
    return Whitening(centre, matrix, float(-0.5 * values.log().sum() - scale.log().sum()))


def by_scale(centre: torch.Tensor, scale: torch.Tensor) -> Whitening:
    """Whiten each coordinate by a scale of its own; both arguments have shape (D,)."""
    return Whitening(centre, torch.diag(scale), float(scale.log().sum()))
