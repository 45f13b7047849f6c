"""Data with gaps: NaN where a value is missing, -1 in an index."""

from __future__ import annotations

import torch
from torch import Tensor


def is_gap(data: Tensor) -> Tensor:
    """Return where data are missing, as booleans of their shape."""
    return torch.isnan(data) if data.is_floating_point() else data < 0


def fill_gaps(data: Tensor, values: Tensor) -> Tensor:
    """Return data with their gaps filled.

    Args:
        data: Of any shape.
        values: One for each gap, in the order of the data: shape (*left, gaps).

    Returns:
        Shape (*left, *shape of the data).
    """
    gaps = is_gap(data)
    places = (gaps.reshape(-1).cumsum(0) - 1).clamp(min=0)
    filled = values[..., places].reshape(*values.shape[:-1], *data.shape)
    return torch.where(gaps, filled, data)
