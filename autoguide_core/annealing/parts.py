"""Particles in several parts of a distribution: each seen from the middle of its own."""

from __future__ import annotations

import torch
from torch import Tensor


def middles(points: Tensor, part_of: Tensor) -> Tensor:
    """For each particle the medians of its part's; points and result (S, D), parts (S,)."""
    found = torch.empty_like(points)
    for part in part_of.unique():
        members = part_of == part
        found[members] = points[members].median(0).values
    return found


def spreads(centred: Tensor, part_of: Tensor) -> Tensor:
    """For each particle the mean distances of its part's from their middle, (S, D)."""
    found = torch.empty_like(centred)
    for part in part_of.unique():
        members = part_of == part
        found[members] = centred[members].abs().mean(0).clamp(min=1e-300)
    return found
