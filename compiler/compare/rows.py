"""A comparison as text: the same rows for terminal and notebook, the worst first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from compiler.compare.table import badness

HEAD = ("", "guide", "NUTS", "off by", "sd ratio", "r-hat", "ESS")

_DIGITS_OF_SD = 3
_MOST_DECIMALS, _MOST_DIGITS = 6, 7


def worst_rows(table: pd.DataFrame, most: int) -> list[tuple[bool, Sequence[str]]]:
    """Return the rows that differ most, each with whether it agrees, and its cells under `HEAD`."""
    order = badness(table).sort_values(ascending=False, kind="stable").index[:most]
    return [
        (
            bool(row["agrees"]),
            (
                str(label),
                _mean_and_sd(row["guide_mean"], row["guide_sd"]),
                _mean_and_sd(row["nuts_mean"], row["nuts_sd"]),
                _number(row["shift"], "+.2f"),
                _number(row["sd_ratio"], ".2f"),
                _number(row["r_hat"], ".3f"),
                _number(min(row["ess_bulk"], row["ess_tail"]), ",.0f"),
            ),
        )
        for label, row in table.loc[order].iterrows()
    ]


def _mean_and_sd(mean: float, sd: float) -> str:
    """Both to the same place, that of the sd's third digit."""
    if not (math.isfinite(mean) and math.isfinite(sd)) or sd <= 0.0:
        return f"{mean:.4g} ± {sd:.3g}"
    decimals = max(0, _DIGITS_OF_SD - 1 - math.floor(math.log10(sd)))
    if decimals > _MOST_DECIMALS or max(abs(mean), sd) >= 10**_MOST_DIGITS:
        return f"{mean:.4g} ± {sd:.3g}"
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else ""
