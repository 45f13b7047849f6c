"""Two posteriors side by side, a row for every number."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from autoguide_core.arviz_module import arviz_module
from compiler.run.summary import entry_labels

Array = npt.NDArray[np.float64]

LARGEST_SHIFT = 0.2
LARGEST_RATIO = 1.25
"""How far a mean (in sds of NUTS) and a sd (as a ratio) may be off in a guide that agrees."""

_NOISE = 4.0
"""Standard errors that the Monte Carlo noise of both may come to."""


def comparison_table(guide: xr.Dataset, nuts: xr.Dataset, effective: float) -> pd.DataFrame:
    """Compare the draws of a guide with those of NUTS.

    A difference counts only beyond what the noise of the draws explains: four standard errors,
    from the effective sizes of both samples.

    Args:
        guide: Variables with dims (chain, draw, …).
        nuts: The same variables.
        effective: To how many independent draws those of the guide come.

    Returns:
        A row for every number, called `theta[Choate]`, in the order of the variables: `guide_mean`,
        `guide_sd`, `nuts_mean`, `nuts_sd`, `shift` (difference of the means in sds of NUTS),
        `sd_ratio` (guide over NUTS), `r_hat`, `ess_bulk`, `ess_tail`, and `agrees`. What NUTS finds
        constant has neither shift nor ratio.
    """
    names = [str(name) for name in guide if name in nuts]
    frames = [_rows(guide[name], nuts[name], effective) for name in names]
    return pd.concat(frames) if frames else pd.DataFrame()


def badness(table: pd.DataFrame) -> pd.Series[float]:
    """Return how bad each row is: 1 where it just meets the limits, more beyond them."""
    widest = np.log(LARGEST_RATIO)
    with np.errstate(divide="ignore"):
        ratio = np.log(table["sd_ratio"].to_numpy()) / widest
    shift = table["shift"].to_numpy() / LARGEST_SHIFT
    worst = np.fmax(np.abs(shift), np.abs(ratio))
    return pd.Series(np.nan_to_num(worst, nan=0.0, posinf=np.inf), index=table.index)


def _rows(guide: xr.DataArray, nuts: xr.DataArray, effective: float) -> pd.DataFrame:
    ours, theirs = _flat(guide), _flat(nuts)
    mean, sd = theirs.mean(0), _spread(theirs)
    guide_mean, guide_sd = ours.mean(0), _spread(ours)
    bulk, tail, rhat = (_diagnostic(kind, nuts) for kind in ("bulk", "tail", "rhat"))
    varies = sd > 0.0
    scale = np.where(varies, sd, np.nan)
    shift, ratio = (guide_mean - mean) / scale, guide_sd / scale
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.abs(np.log(ratio))
        per_draw = 1.0 / bulk + 1.0 / effective
        kurtosis = (((theirs - mean) / scale) ** 4).mean(0)
        shift_noise = np.sqrt(per_draw)
        ratio_noise = np.sqrt(0.25 * np.maximum(kurtosis - 1.0, 0.0) * per_draw)
    agrees = (np.abs(shift) <= np.fmax(LARGEST_SHIFT, _NOISE * shift_noise)) & (
        log_ratio <= np.fmax(np.log(LARGEST_RATIO), _NOISE * ratio_noise)
    )
    return pd.DataFrame(
        {
            "guide_mean": guide_mean,
            "guide_sd": guide_sd,
            "nuts_mean": mean,
            "nuts_sd": sd,
            "shift": shift,
            "sd_ratio": ratio,
            "r_hat": np.where(varies, rhat, np.nan),
            "ess_bulk": np.where(varies, bulk, np.nan),
            "ess_tail": np.where(varies, tail, np.nan),
            "agrees": np.where(varies, agrees, (guide_mean == mean) & (guide_sd == 0.0)),
        },
        index=pd.Index(entry_labels(nuts), name="site", dtype=object),
    )


def _flat(array: xr.DataArray) -> Array:
    """Draws of all chains, shape (S, entries)."""
    values = array.to_numpy().astype(float)
    return values.reshape(values.shape[0] * values.shape[1], -1)


def _spread(draws: Array) -> Array:
    """Standard deviations; exactly 0 where nothing but rounding varies."""
    spread = draws.std(0, ddof=1)
    spread[np.ptp(draws, axis=0) <= 1e-13 * np.abs(draws[0])] = 0.0
    return np.asarray(spread)


def _diagnostic(kind: str, array: xr.DataArray) -> Array:
    """R-hat or an effective sample size of each entry, from ArviZ."""
    arviz = arviz_module()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = arviz.rhat(array) if kind == "rhat" else arviz.ess(array, method=kind)
    return np.asarray(found[str(array.name)].to_numpy(), dtype=float).reshape(-1)
