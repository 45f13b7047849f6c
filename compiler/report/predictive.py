"""Observed sites beside their replicates, flat and without what cannot be compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compiler.report.content import Content
from compiler.report.draws import flat_draws

Array = npt.NDArray[np.float64]

_MOST_NUMBERS = 4_000_000
_LEAST_REPLICATES = 40


@dataclass(frozen=True)
class Check:
    """An observed site and its replicates.

    Attributes:
        name: The site.
        discrete: Whether it takes discrete values.
        observed: The data, (N,), finite.
        replicates: Their replicates, (S, N), finite.
        broken: How many numbers are left out, since a replicate of them is NaN or infinite.
    """

    name: str
    discrete: bool
    observed: Array
    replicates: Array
    broken: int


def checks(content: Content) -> Iterator[Check]:
    """Yield the observed sites that have replicates; of large data, fewer replicates."""
    data, groups = content.groups.get("observed_data"), content.groups.get("posterior_predictive")
    if data is None or groups is None:
        return
    for site in content.program.sites():
        if site.name not in data or site.name not in groups:
            continue
        observed = np.asarray(data[site.name].to_numpy(), dtype=float).reshape(-1)
        drawn = groups[site.name]
        most = max(_LEAST_REPLICATES, _MOST_NUMBERS // max(observed.size, 1))
        replicates = flat_draws(drawn.isel(draw=slice(0, most)))
        if replicates.shape[1] != observed.size:
            continue
        known = np.isfinite(observed)
        whole = np.isfinite(replicates).all(axis=0)
        kept = known & whole
        if kept.any():
            broken = int((known & ~whole).sum())
            yield Check(site.name, site.discrete, observed[kept], replicates[:, kept], broken)
