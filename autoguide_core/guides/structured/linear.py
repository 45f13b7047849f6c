"""The linear algebra of a structured guide: noise scaled and unscaled, and its spread in the end.

Noise is flat, shape (..., D) for a site of D unconstrained entries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def scaled(auxiliary: Tensor, scale: Tensor, scale_tril: Tensor | None) -> Tensor:
    """Noise of Cholesky factor ``diag(scale) @ scale_tril`` from a standard Normal draw.

    Args:
        auxiliary: Shape (..., D).
        scale: Shape (D,).
        scale_tril: Lower triangular, shape (D, D); None for the identity.
    """
    mixed = auxiliary if scale_tril is None else auxiliary @ scale_tril.T
    return mixed * scale


def unscaled(noise: Tensor, scale: Tensor, scale_tril: Tensor | None) -> Tensor:
    """The inverse of `scaled`: the standard Normal draw behind some noise, shape (..., D)."""
    mixed = noise / scale
    if scale_tril is None:
        return mixed
    rows = mixed.reshape(-1, mixed.shape[-1])
    solved = torch.linalg.solve_triangular(scale_tril.T, rows, upper=True, left=False)
    return solved.reshape(mixed.shape)


def log_density_by_entry(scale: Tensor, scale_tril: Tensor | None) -> Tensor:
    """Minus the log determinant of the map `scaled`, one term for each entry; shape (D,)."""
    if scale_tril is None:
        return -scale.log()
    return -scale.log() - scale_tril.diagonal(dim1=-2, dim2=-1).log()


def sheared_factor(
    own: Mapping[str, Tensor], shears: Sequence[tuple[Tensor, Mapping[str, Tensor]]]
) -> dict[str, Tensor]:
    """How a site's deviation from its location is made of standard Normal draws.

    Args:
        own: The factor of the site's own noise, under the site's name: a matrix, shape (D, D), or
            the diagonal of one, shape (D,). Empty for a point.
        shears: For each upstream site of size U the weight, shape (D, U), and the factor of its
            deviation, as this function returns it.

    Returns:
        By the name of the site that a draw belongs to, a matrix of shape (D, size of that site),
        or the diagonal of one, such that the deviation is the sum of matrices times draws.
    """
    result = dict(own)
    for weight, upstream in shears:
        for source, block in upstream.items():
            part = weight * block if block.dim() == 1 else weight @ block
            result[source] = result[source] + part if source in result else part
    return result


def marginal_scale(factor: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """The standard deviation of each entry, from the factor of a site's deviation; shape (D,)."""
    variance = torch.zeros_like(like)
    for block in factor.values():
        variance = variance + (block.square() if block.dim() == 1 else block.square().sum(-1))
    return variance.sqrt()
