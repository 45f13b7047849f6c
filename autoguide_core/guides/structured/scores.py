"""The density of a structured guide in unconstrained space, from the chain inverted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoguide_core.guides.structured.linear import log_density_by_entry, unscaled


def score_of_noise(
    noise: Tensor, scales: tuple[Tensor, Tensor | None] | None, like: Tensor
) -> Tensor:
    """The log density of a site's own noise.

    Args:
        noise: Shape (S, D).
        scales: The scale, shape (D,), and the Cholesky factor of the noise; None for a site without
            noise, a point.
        like: The unconstrained value that the noise is a part of, shape (S, D): rounding takes part
            in its proportion.

    Returns:
        Shape (S,). For a point it is 0 where there is no noise but for rounding, minus infinity
        elsewhere.
    """
    if scales is None:
        # A value has been to its support and back, where up to half of its digits may be lost.
        tolerance = torch.finfo(noise.dtype).eps ** 0.5 * (1 + like.abs())
        is_at_point = (noise.abs() <= tolerance).all(-1)
        return noise.new_zeros(noise.shape[:-1]).masked_fill(~is_at_point, -torch.inf)
    standard = unscaled(noise, *scales)
    entries = -0.5 * standard.square() - 0.5 * math.log(2 * math.pi)
    return (entries + log_density_by_entry(*scales)).sum(-1)
