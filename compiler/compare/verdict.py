"""What a comparison comes to, in words: whether NUTS converged, and whether the guide agrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from autoguide_core.sampling import NutsRun
from compiler.compare.table import LARGEST_RATIO, LARGEST_SHIFT, badness

LARGEST_RHAT = 1.01
LEAST_ESS_PER_CHAIN = 100
MOST_DIVERGENT = 0.01
"""Share of draws that may end in a divergence where NUTS is still taken at its word."""

_NAMED = 3


@dataclass(frozen=True)
class Judgement:
    """Both verdicts.

    Attributes:
        converged: Whether the draws of NUTS can be relied on.
        convergence: Why, in one sentence.
        agrees: Whether the guide agrees with NUTS; None where NUTS has not converged.
        agreement: How far, in one sentence.
    """

    converged: bool
    convergence: str
    agrees: bool | None
    agreement: str


def judge(table: pd.DataFrame, run: NutsRun) -> Judgement:
    """Judge a comparison.

    NUTS has converged where R-hat is at most 1.01, the effective sample size at least 100 for each
    chain, and at most one draw in a hundred divergent.

    Source: Vehtari et al., "Rank-normalization, folding, and localization: an improved R-hat"
    (2021), for the first two.

    Args:
        table: The table of both, as `comparison_table` makes it.
        run: What NUTS tells of its draws.
    """
    converged, convergence = _convergence(table, run)
    agrees = bool(table["agrees"].all())
    return Judgement(
        converged=converged,
        convergence=convergence,
        agrees=agrees if converged else None,
        agreement=_agreement(table) if converged else _no_agreement(table),
    )


def _convergence(table: pd.DataFrame, run: NutsRun) -> tuple[bool, str]:
    diverging = run.statistics["diverging"]
    divergent, draws = int(diverging.sum()), diverging.size
    rhat, least = table["r_hat"], table[["ess_bulk", "ess_tail"]].min(axis=1)
    mixed = bool((rhat.dropna() <= LARGEST_RHAT).all())
    enough = bool((least.dropna() >= LEAST_ESS_PER_CHAIN * diverging.shape[0]).all())
    figures = (
        f"r-hat at most {rhat.max():.3f} ({rhat.idxmax()}), "
        f"ESS at least {least.min():,.0f} ({least.idxmin()})"
        if rhat.notna().any()
        else "nothing varies"
    )
    told = f"{divergent:,} of {draws:,} draws diverged" if divergent else "no divergences"
    if not mixed or not enough:
        remedy = "more --tune and --draws, or reparam noncentered on or off"
        return False, f"NUTS has not converged: {figures}, {told}; try {remedy}"
    if divergent > MOST_DIVERGENT * draws:
        remedy = "--target-accept 0.99, or reparam noncentered on or off"
        return False, f"NUTS cannot be relied on: {told}, so parts may be missing; try {remedy}"
    return True, f"NUTS converged: {figures}, {told}"


def _agreement(table: pd.DataFrame) -> str:
    wrong = table[~table["agrees"]]
    if wrong.empty:
        return f"the guide agrees with NUTS: {_extent(table)}"
    worst = wrong.loc[badness(wrong).sort_values(ascending=False, kind="stable").index]
    named = "; ".join(f"{label}: {_difference(row)}" for label, row in worst[:_NAMED].iterrows())
    rest = f"; and {len(wrong) - _NAMED:,} more" if len(wrong) > _NAMED else ""
    return f"the guide differs from NUTS in {len(wrong):,} of {len(table):,} numbers: {named}{rest}"


def _no_agreement(table: pd.DataFrame) -> str:
    return f"so whether the guide is right is left open; as they are, {_extent(table)}"


def _extent(table: pd.DataFrame) -> str:
    if not table["sd_ratio"].notna().any():
        return "nothing varies"
    ratio = table["sd_ratio"]
    return (
        f"means within {table['shift'].abs().max():.2g} sd, "
        f"sds {ratio.min():.2f} to {ratio.max():.2f} times those of NUTS"
    )


def _difference(row: pd.Series[float]) -> str:
    """What is wrong with one number."""
    shift, ratio = float(row["shift"]), float(row["sd_ratio"])
    found = []
    if not np.isfinite(shift):
        return f"mean {row['guide_mean']:.3g} where NUTS has {row['nuts_mean']:.3g} throughout"
    if abs(shift) > LARGEST_SHIFT:
        found.append(f"mean {abs(shift):.2g} sd too {'high' if shift > 0 else 'low'}")
    if ratio == 0.0:
        found.append("no spread at all")
    elif not 1.0 / LARGEST_RATIO <= ratio <= LARGEST_RATIO:
        found.append(f"sd {ratio:.2g} times that of NUTS")
    return ", ".join(found)
