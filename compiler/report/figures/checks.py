"""Pictures of a posterior predictive check, one for each kind of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from compiler.report.figures.density import density, usual_range
from compiler.report.figures.palette import Colour
from compiler.run.checking import Array, Check

_FEW_VALUES = 12
_FEW_NUMBERS = 24
_CURVES = 30
_MOST_BARS = 40
_FEWEST_OF_A_CURVE = 5

_DATA, _MODEL = Colour.INK.value, Colour.ACCENT.value


@dataclass(frozen=True)
class Kind:
    """A kind of picture: what data it suits, how it is drawn, and what it shows in words."""

    suits: Callable[[Check], bool]
    draw: Callable[[Axes, Check], None]
    words: str


def _values(check: Check) -> Array:
    seen = np.concatenate([np.unique(check.observed), np.unique(check.replicates)])
    return np.unique(seen)


def _draw_shares(axes: Axes, check: Check) -> None:
    values = _values(check)
    observed = np.array([(check.observed == value).mean() for value in values])
    replicated = np.stack([(check.replicates == value).mean(axis=1) for value in values])
    low, middle, high = np.quantile(replicated, [0.05, 0.5, 0.95], axis=1)
    places = np.arange(len(values))
    axes.bar(places, observed, width=0.6, color=_DATA, alpha=0.25)
    axes.errorbar(
        places, middle, np.stack([middle - low, high - middle]),
        fmt="o", color=_MODEL, markersize=4, linewidth=1.6,
    )  # fmt: skip
    axes.set_xticks(places, [f"{value:g}" for value in values])
    axes.set_ylim(bottom=0)
    axes.set_title("share of each value", loc="left")


def _draw_rootogram(axes: Axes, check: Check) -> None:
    least, most = usual_range(np.concatenate([check.observed, check.replicates.ravel()]))
    least, most = min(least, check.observed.min()), max(most, check.observed.max())
    bars = min(_MOST_BARS, max(_FEW_VALUES, int(2 * np.sqrt(len(check.observed)))))
    width = max(1, int(np.ceil((most - least + 1) / bars)))
    edges = np.arange(np.floor(least), np.ceil(most) + width + 1, width) - 0.5
    observed = np.sqrt(np.histogram(check.observed, edges)[0])
    replicated = np.sqrt([np.histogram(one, edges)[0] for one in check.replicates])
    low, middle, high = np.quantile(replicated, [0.05, 0.5, 0.95], axis=0)
    places = (edges[:-1] + edges[1:]) / 2
    axes.bar(places, observed, width=0.85 * width, color=_DATA, alpha=0.25)
    axes.fill_between(places, low, high, color=_MODEL, alpha=0.25, linewidth=0)
    axes.plot(places, middle, color=_MODEL, linewidth=1.6)
    axes.set_ylim(bottom=0)
    axes.set_title("root of the count of each value", loc="left")


def _draw_intervals(axes: Axes, check: Check) -> None:
    low, middle, high = np.quantile(check.replicates, [0.05, 0.5, 0.95], axis=0)
    places = np.arange(len(check.observed))
    axes.vlines(places, low, high, color=_MODEL, alpha=0.5, linewidth=4)
    axes.plot(places, middle, "_", color=_MODEL, markersize=9)
    axes.plot(places, check.observed, "o", color=_DATA, markersize=4)
    axes.locator_params(axis="x", integer=True)
    axes.set_title("each number, in the order of the data", loc="left")


def _draw_densities(axes: Axes, check: Check) -> None:
    ends = [usual_range(check.observed), usual_range(check.replicates.ravel())]
    axes.set_xlim(min(end[0] for end in ends), max(end[1] for end in ends))
    step = max(1, len(check.replicates) // _CURVES)
    for one in check.replicates[::step][:_CURVES]:
        if np.ptp(one) > 0:
            axes.plot(*density(one), color=_MODEL, linewidth=0.7, alpha=0.5)
    if np.ptp(check.observed) > 0:
        axes.plot(*density(check.observed), color=_DATA, linewidth=1.8)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_title("density", loc="left")


KINDS = (
    Kind(
        lambda check: check.discrete and len(_values(check)) <= _FEW_VALUES,
        _draw_shares,
        "Bars: the data. Dots and lines: median and middle 90 % of the replicates.",
    ),
    Kind(
        lambda check: check.discrete,
        _draw_rootogram,
        "Bars: the data. Line and band: median and middle 90 % of the replicates.",
    ),
    Kind(
        lambda check: len(check.observed) <= _FEW_NUMBERS,
        _draw_intervals,
        "Dots: the data. Bars: median and middle 90 % of the replicates.",
    ),
    Kind(
        lambda check: True,
        _draw_densities,
        f"Thick line: the data. Thin lines: {_CURVES} replicates.",
    ),
)
"""The first that suits is drawn."""
