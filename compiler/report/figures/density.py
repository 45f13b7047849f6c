"""Kernel density estimates, on a range that a few far draws do not spoil."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from autoguide_core.arviz_module import arviz_module

Array = npt.NDArray[np.float64]

_POINTS = 128
_FAR = 4.0
"""How many times the middle 90 % the whole range may be wide before its ends are cut."""


def usual_range(values: Array) -> tuple[float, float]:
    """Return the range of finite values, without far tails that would flatten all the rest."""
    low, high = (float(end) for end in np.quantile(values, [0.05, 0.95]))
    least, most = float(values.min()), float(values.max())
    reach = _FAR * (high - low) / 2
    if reach <= 0:
        return least, most
    return max(least, low - reach), min(most, high + reach)


def density(values: Array) -> tuple[Array, Array]:
    """Return a grid and the density on it; the mass is that of the values in the usual range.

    Args:
        values: Finite values, not all the same.
    """
    low, high = usual_range(values)
    inside = values[(values >= low) & (values <= high)]
    arviz = arviz_module()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grid, mass = arviz.kde(inside, bound_correction=True, grid_len=_POINTS)
    return np.asarray(grid, dtype=float), np.asarray(mass) * inside.size / values.size
