"""Summaries of a posterior: a row for every number, labelled with its coords."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

_COLUMNS = ("mean", "sd", "5%", "50%", "95%")


def summary_frame(posterior: xr.Dataset, names: Iterable[str] | None = None) -> pd.DataFrame:
    """Summarise draws.

    Args:
        posterior: Variables with dims (chain, draw, …).
        names: Those to summarise; all by default.

    Returns:
        A row for every number, called `theta[Choate]`, with its mean, standard deviation and 5 %,
        50 % and 95 % quantiles.
    """
    rows = [row for name in names or posterior for row in _rows(posterior[str(name)])]
    return pd.DataFrame(
        [row[1:] for row in rows],
        index=pd.Index([row[0] for row in rows], name="site", dtype=object),
        columns=pd.Index(_COLUMNS),
        dtype=float,
    )


def discrete_frame(posterior: xr.Dataset, names: Iterable[str]) -> pd.DataFrame:
    """Summarise draws of discrete sites.

    Args:
        posterior: Variables with dims (chain, draw, …).
        names: Those to summarise.

    Returns:
        A row for every number, with its most frequent value (`mode`), that value's share of the
        draws (`probability`), and the shares of all values as text (`all`).
    """
    labels, rows = [], []
    for name in names:
        array = posterior[name]
        draws = array.to_numpy().reshape(array.shape[0] * array.shape[1], -1)
        for label, column in zip(entry_labels(array), draws.T, strict=True):
            values, counts = np.unique(column, return_counts=True)
            shares = counts / counts.sum()
            best = int(np.argmax(counts))
            ranked = sorted(zip(shares, values, strict=True), key=lambda pair: -pair[0])
            words = ", ".join(f"{value:g}: {share:.2f}" for share, value in ranked[:4])
            labels.append(label)
            rows.append((int(values[best]), float(shares[best]), words))
    index = pd.Index(labels, name="site", dtype=object)
    return pd.DataFrame(rows, index=index, columns=pd.Index(["mode", "probability", "all"]))


def entry_labels(array: xr.DataArray) -> list[str]:
    """Return the label of every number of a variable with dims (chain, draw, …), in order."""
    name = str(array.name)
    if array.ndim == 2:
        return [name]
    axes = [
        [str(label) for label in array.coords[dim].to_numpy()]
        if dim in array.coords
        else [str(i) for i in range(array.sizes[dim])]
        for dim in array.dims[2:]
    ]
    return [f"{name}[{', '.join(place)}]" for place in itertools.product(*axes)]


def scalars_first(posterior: xr.Dataset, names: Sequence[str]) -> list[str]:
    """Return names with those of single numbers before those of arrays, else as they stand."""
    return sorted(names, key=lambda name: posterior[name].ndim > 2)


def _rows(array: xr.DataArray) -> Iterator[tuple[str, float, float, float, float, float]]:
    draws = array.to_numpy().astype(float)
    draws = draws.reshape(draws.shape[0] * draws.shape[1], -1)
    means, deviations = draws.mean(axis=0), draws.std(axis=0, ddof=1)
    deviations[np.ptp(draws, axis=0) == 0] = 0.0  # what is left there is rounding
    low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95], axis=0)
    for i, label in enumerate(entry_labels(array)):
        numbers = (means[i], deviations[i], low[i], middle[i], high[i])
        mean, sd, *quantiles = (float(number) for number in numbers)
        yield label, mean, sd, quantiles[0], quantiles[1], quantiles[2]


def flat_draws(array: xr.DataArray) -> npt.NDArray[np.float64]:
    """Return the draws of a variable with dims (chain, draw, …) as (S, N)."""
    values = np.asarray(array.to_numpy(), dtype=np.float64)
    return values.reshape(values.shape[0] * values.shape[1], -1)
