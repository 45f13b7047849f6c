"""Particles in several parts of a distribution: each seen from the middle of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def middles(points: Tensor, part_of: Tensor) -> Tensor:
    """For each particle the medians of its part's; points and result (S, D), parts (S,)."""
    return _by_part(points, part_of, lambda part: part.median(0).values)


def spreads(centred: Tensor, part_of: Tensor) -> Tensor:
    """For each particle the mean distances of its part's from their middle, (S, D)."""
    return _by_part(centred, part_of, lambda part: part.abs().mean(0).clamp(min=1e-300))


def _by_part(points: Tensor, part_of: Tensor, statistic: Callable[[Tensor], Tensor]) -> Tensor:
    found = torch.empty_like(points)
    for part in part_of.unique():
        members = part_of == part
        found[members] = statistic(points[members])
    return found
