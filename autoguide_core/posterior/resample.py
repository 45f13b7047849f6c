"""Turning weighted draws into plain ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from autoguide_core.annealing.resampling import systematic


def resample(
    draws: Mapping[str, torch.Tensor], weights: torch.Tensor, n: int, seed: int
) -> dict[str, torch.Tensor]:
    """Draw ``n`` times from weighted draws, by systematic resampling in a shuffled order.

    Systematic resampling (Kitagawa 1996) takes a draw of weight ``w`` either ⌊nw⌋ or ⌈nw⌉ times,
    which adds less noise than independent choices do.

    Args:
        draws: Values by site, each (S, …).
        weights: Normalised weights, shape (S,).
        n: Number of draws to return.
        seed: Seed of the choice.

    Returns:
        Values by site, each (n, …).

    Raises:
        ValueError: If the number of weights is not the number of draws.
    """
    for name, value in draws.items():
        if value.shape[0] != weights.shape[0]:
            raise ValueError(
                f"site {name!r} has {value.shape[0]} draws for {weights.shape[0]} weights"
            )
    generator = torch.Generator().manual_seed(seed)
    index = systematic(weights.double().cpu(), n, generator)
    index = index[torch.randperm(n, generator=generator)]
    return {name: value[index.to(value.device)] for name, value in draws.items()}
