"""Second derivatives in batches, and the covariance that goes with them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

# Curvatures below this share of the largest are taken for numerical noise.
RELATIVE_FLOOR = 1e-6
# Rows of a Hessian that are computed at once: the memory of a backward pass grows with them.
_ROWS_AT_ONCE = 32


def hessian_of(loss: Tensor, point: Tensor) -> Tensor:
    """The Hessian of a scalar, by a backward pass over its gradient that is vectorised over rows.

    Rows are computed one by one where an operation in the graph cannot be vectorised.

    Args:
        loss: A scalar with a graph.
        point: The leaf of that graph, shape (D,).

    Returns:
        Shape (D, D), symmetric.
    """
    (gradient,) = torch.autograd.grad(loss, point, create_graph=True, allow_unused=True)
    if gradient is None or not gradient.requires_grad:
        return torch.zeros(len(point), len(point), dtype=point.dtype, device=point.device)
    identity = torch.eye(len(point), dtype=point.dtype, device=point.device)
    try:
        with warnings.catch_warnings():
            # Operations without a batched form run in a loop inside: slower, and right.
            warnings.filterwarnings("ignore", message="There is a performance drop")
            rows = [
                _product(gradient, point, block, is_batched=True)
                for block in identity.split(_ROWS_AT_ONCE)
            ]
        result = torch.cat(rows)
    except RuntimeError:
        result = torch.stack([_product(gradient, point, row) for row in identity])
    return 0.5 * (result + result.mT).detach()


def _product(gradient: Tensor, point: Tensor, vector: Tensor, is_batched: bool = False) -> Tensor:
    (row,) = torch.autograd.grad(
        gradient,
        point,
        vector,
        retain_graph=True,
        is_grads_batched=is_batched,
        materialize_grads=True,
    )
    product: Tensor = row
    return product


@dataclass(frozen=True)
class Covariance:
    """The covariance that belongs to a precision, as a factor, and what had to be done to it.

    Attributes:
        tril: Its lower Cholesky factor, shape (D, D).
        lowest: The lowest eigenvalue of the precision whose entries are scaled to unit curvature.
        highest: The highest of them.
        num_raised: How many of them were raised to the floor; none where all were positive.
        worst: The entry that takes most part in the lowest.
    """

    tril: Tensor
    lowest: float
    highest: float
    num_raised: int
    worst: int


def covariance_of(precision: Tensor) -> Covariance:
    """Invert a precision, whose eigenvalues are floored where it is not positive definite.

    The entries are brought to unit curvature first, so that nothing depends on their units: a flat
    direction is one that is flat beside the curvatures of its own entries. All is computed in
    double precision.

    Args:
        precision: Symmetric, shape (D, D).

    Returns:
        The covariance; of the dtype of ``precision``.
    """
    double = precision.to(torch.float64)
    curvature = double.diagonal().abs()
    scale = torch.where(curvature > 0, curvature, torch.ones_like(curvature)).rsqrt()
    values, vectors = torch.linalg.eigh(scale[:, None] * double * scale)
    floor = RELATIVE_FLOOR * values.abs().max()
    is_positive = bool((values > 0).all())
    raised = values if is_positive else values.clamp(min=floor)
    root = scale[:, None] * vectors * raised.rsqrt()
    upper = torch.linalg.qr(root.mT, mode="r").R
    signs = torch.where(upper.diagonal() < 0, -1.0, 1.0)
    return Covariance(
        tril=(upper * signs[:, None]).mT.to(precision.dtype).contiguous(),
        lowest=float(values[0]),
        highest=float(values[-1]),
        num_raised=0 if is_positive else int((values < floor).sum()),
        worst=int(vectors[:, 0].abs().argmax()),
    )
