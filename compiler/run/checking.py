"""Posterior predictive checks: observed sites beside data drawn from the fitted model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from compiler.ir import Program
from compiler.run.summary import flat_draws

Array = npt.NDArray[np.float64]

_MOST_NUMBERS = 4_000_000
_LEAST_REPLICATES = 40
_FLAGS = frozenset({"right", "left", "until"})
"""Keywords of `censored` that go by the entry; limits hold for replicates, too."""

ODD = 0.025
"""A p-value below this, or above what it leaves of 1, is odd."""

STATISTICS: Mapping[str, Callable[[Array], Array]] = {
    "mean": lambda values: values.mean(axis=-1),
    "sd": lambda values: values.std(axis=-1),
    "min": lambda values: values.min(axis=-1),
    "max": lambda values: values.max(axis=-1),
}


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


def checks(program: Program, groups: Mapping[str, xr.Dataset]) -> Iterator[Check]:
    """Yield the observed sites that have replicates; of large data, fewer replicates.

    Args:
        program: The program.
        groups: Datasets by InferenceData's groups; those that are looked at are `observed_data`
            and `posterior_predictive`.

    Sites whose flags say which values are censored are left out: their replicates are not.
    """
    data, groups_of_draws = groups.get("observed_data"), groups.get("posterior_predictive")
    if data is None or groups_of_draws is None:
        return
    for site in program.sites():
        if _FLAGS & site.censoring.keys():
            continue
        if site.name not in data or site.name not in groups_of_draws:
            continue
        observed = np.asarray(data[site.name].to_numpy(), dtype=float).reshape(-1)
        drawn = groups_of_draws[site.name]
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


def predictive_frame(program: Program, groups: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Compare statistics of the data with those of their replicates.

    The p-value is the share of replicates whose statistic is at least that of the data, ties
    halved (Gelman, Meng and Stern 1996).

    Args:
        program: The program.
        groups: Datasets by InferenceData's groups.

    Returns:
        A row for each observed site and statistic, such as `sd(y)`, with the columns `p`, `data`,
        `replicates` (their median), `5%` and `95%`.
    """
    rows = {
        f"{name}({check.name})": _compared(check, statistic)
        for check in checks(program, groups)
        for name, statistic in STATISTICS.items()
        if len(check.observed) > 1 or name == "mean"
    }
    columns = ["p", "data", "replicates", "5%", "95%"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _compared(check: Check, statistic: Callable[[Array], Array]) -> tuple[float, ...]:
    observed, replicated = float(statistic(check.observed)), statistic(check.replicates)
    near = np.isclose(replicated, observed, rtol=1e-12, atol=0.0)
    p = float(((replicated > observed) & ~near).mean() + near.mean() / 2)
    low, middle, high = (float(q) for q in np.quantile(replicated, [0.05, 0.5, 0.95]))
    return p, observed, middle, low, high
