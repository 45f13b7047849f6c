"""The picture of a comparison: intervals of both side by side, and the densities that differ."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoguide_core.arviz_module import arviz_module
from compiler.compare.table import badness
from compiler.run.summary import entry_labels

if TYPE_CHECKING:
    from compiler.compare.result import Comparison

_MOST_ROWS = 30
_MOST_DENSITIES = 4
_GUIDE, _NUTS = "#d95f02", "#1b6ca8"
_APART = 0.16
_WIDEST = 8.0
"""How many sds of NUTS are shown, so that one wild number does not squeeze all others."""
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Array = npt.NDArray[np.float64]


def comparison_figure(comparison: Comparison) -> Figure:
    """Draw a comparison; needs no display.

    On the left the 50 % and 90 % intervals of the numbers that differ most, in standard deviations
    of NUTS around its mean; on the right the densities of the four that differ most.

    Args:
        comparison: The comparison.
    """
    table = comparison.table[comparison.table["nuts_sd"] > 0.0]
    order = badness(table).sort_values(ascending=False, kind="stable").index[:_MOST_ROWS]
    guide = _columns(comparison.fit.idata["posterior"], list(order))
    nuts = _columns(comparison.nuts["posterior"], list(order))
    shown = list(order[:_MOST_DENSITIES])
    height = max(1.2 + 0.32 * len(order), 1.9 * len(shown), 2.5)
    figure = Figure(figsize=(11.0, height), dpi=120, layout="constrained")
    grid = figure.add_gridspec(max(len(shown), 1), 2, width_ratios=(1.4, 1.0))
    forest = figure.add_subplot(grid[:, 0])
    for row, label in enumerate(order):
        mean, sd = float(table.at[label, "nuts_mean"]), float(table.at[label, "nuts_sd"])
        for draws, colour, side in ((nuts, _NUTS, _APART), (guide, _GUIDE, -_APART)):
            _interval(forest, (draws[label] - mean) / sd, row + side, colour)
    _finish_forest(forest, [str(label) for label in order], table.loc[order, "agrees"].to_list())
    for place, label in enumerate(shown):
        _densities(figure.add_subplot(grid[place, 1]), str(label), guide[label], nuts[label])
    left_out = len(comparison.table) - len(order)
    rest = f" ({left_out:,} numbers that differ less are left out)" if left_out else ""
    figure.suptitle(f"{comparison.fit.program.name}: guide and NUTS{rest}", fontsize=11)
    return figure


def _interval(axes: Axes, draws: Array, height: float, colour: str) -> None:
    low, lower, middle, upper, high = np.quantile(draws, _QUANTILES)
    axes.plot([low, high], [height, height], color=colour, lw=1.2, solid_capstyle="butt")
    axes.plot([lower, upper], [height, height], color=colour, lw=3.5, solid_capstyle="butt")
    axes.plot([middle], [height], "o", ms=4.5, color="white", mec=colour, mew=1.4)


def _finish_forest(axes: Axes, labels: list[str], agrees: list[bool]) -> None:
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    for text, good in zip(axes.get_yticklabels(), agrees, strict=True):
        if not good:
            text.set_color("#b00020")
            text.set_fontweight("bold")
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.axvline(0.0, color="0.8", lw=0.8, zorder=0)
    axes.set_xlabel("standard deviations of NUTS, from its mean", fontsize=9)
    axes.set_title("50 % and 90 % intervals, worst first", fontsize=10, loc="left")
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, -_WIDEST), min(high, _WIDEST))
    axes.plot([], [], color=_GUIDE, lw=3.5, label="guide")
    axes.plot([], [], color=_NUTS, lw=3.5, label="NUTS")
    axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _densities(axes: Axes, label: str, guide: Array, nuts: Array) -> None:
    for draws, colour in ((nuts, _NUTS), (guide, _GUIDE)):
        if np.ptp(draws) > 0.0:
            grid, density = _density(draws)
            axes.plot(grid, density, color=colour, lw=1.5)
            axes.fill_between(grid, density, color=colour, alpha=0.15, lw=0.0)
        else:
            axes.axvline(float(draws[0]), color=colour, lw=1.5)
    low, high = np.quantile(nuts, (0.001, 0.999))
    axes.set_xlim(
        min(low, float(np.quantile(guide, 0.005))), max(high, float(np.quantile(guide, 0.995)))
    )
    axes.set_ylim(bottom=0.0)
    axes.set_yticks([])
    axes.set_title(label, fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _density(draws: Array) -> tuple[Array, Array]:
    """A kernel estimate within the range of the draws."""
    arviz = arviz_module()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grid, density = arviz.kde(draws)
    return grid, density


def _columns(posterior: xr.Dataset, labels: list[Any]) -> dict[Any, Array]:
    """The draws of some numbers, all chains one after the other, by label."""
    wanted, found = set(labels), {}
    for array in posterior.values():
        values = array.to_numpy().astype(float)
        flat = values.reshape(values.shape[0] * values.shape[1], -1)
        for label, column in zip(entry_labels(array), flat.T, strict=True):
            if label in wanted:
                found[label] = column
    return found
