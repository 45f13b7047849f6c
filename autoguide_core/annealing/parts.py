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
