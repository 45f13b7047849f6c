"""How heavy the tails of draws are: whether their means and spreads can be told at all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch

from autoguide_core.arviz_module import arviz_module

_ENTRIES = 16
"""Entries of a site that are looked at, those with the farthest draws first."""


def tail_shapes(draws: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Estimate the shape of the heaviest tail of each site.

    That is the k-hat of a site's own distance from its median: a distribution with shape k has
    moments below 1/k only, so that above 0.5 its sd is not finite, above 1 its mean. For draws
    that were weighted, these are the draws after resampling.

    Source: Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling" (2024),
    section 3; the fit of the Pareto distribution is that of ``arviz.psislw``.

    Args:
        draws: Values by name, each (S, …).

    Returns:
        By site the shape; for sites that are not continuous, or constant, there is none.
    """
    shapes = {}
    for name, values in draws.items():
        if not values.is_floating_point() or not bool(values.isfinite().all()):
            continue
        columns = values.reshape(len(values), -1).double()
        distance = (columns - columns.median(0).values).abs()
        spread = distance.mean(0)
        columns = distance[:, spread > 0] / spread[spread > 0]
        if columns.shape[1] == 0:
            continue
        farthest = columns.max(0).values.topk(min(_ENTRIES, columns.shape[1])).indices
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            arviz = arviz_module()

            logs = columns[:, farthest].clamp(min=1e-12).log().T.cpu().numpy()
            shapes[name] = float(np.max(arviz.psislw(logs)[1]))
    return shapes
