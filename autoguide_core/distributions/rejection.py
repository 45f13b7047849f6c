"""Draws between bounds by drawing again, where quantiles are costly."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

_ROUNDS = 20


def draw_between(
    base: TorchDistribution,
    sample_shape: torch.Size,
    lower: Tensor | None,
    upper: Tensor | None,
    otherwise: Callable[[], Tensor],
) -> Tensor:
    """Return draws of a distribution, given that they lie between bounds, both included.

    Args:
        base: The distribution.
        sample_shape: How many draws, as in `sample`.
        lower: Least value; None: no bound.
        upper: Greatest value.
        otherwise: Makes such draws in another way, for those that still lie outside after some
            rounds: the bounds may leave very little.
    """
    with torch.no_grad():
        drawn: Tensor = base.sample(sample_shape)
        for _ in range(_ROUNDS):
            outside = torch.zeros_like(drawn, dtype=torch.bool)
            if lower is not None:
                outside = outside | (drawn < lower)
            if upper is not None:
                outside = outside | (drawn > upper)
            if not outside.any():
                return drawn
            drawn = torch.where(outside, base.sample(sample_shape), drawn)
        return torch.where(outside, otherwise(), drawn)
