"""How a few numbers depend on each other: those most correlated, or least like a Gaussian."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from scipy import stats

from compiler.report.blocks import Block, Gallery, Paragraph
from compiler.report.content import Content
from compiler.report.draws import Number, some_numbers
from compiler.report.figures import Colour, picture
from compiler.report.figures.density import density, usual_range
from compiler.report.figures.text import shortened

Array = npt.NDArray[np.float64]

_CANDIDATES = 40
_SHOWN = 4
_POINTS = 500
_LEAST_DRAWS = 20
_WIDTH = 360
_EXACT = 0.9999
"""A number that is a function of another, as a recorded value can be, tells nothing of it."""


def pairs(content: Content) -> Sequence[Block]:
    """Return a triangle of scatter plots with densities on its diagonal."""
    candidates = [
        one
        for one in some_numbers([s for s in content.sites if not s.discrete], _CANDIDATES)
        if not one.constant and not one.broken and one.finite.size >= _LEAST_DRAWS
    ]
    if len(candidates) < 2:
        return []
    ranks = stats.rankdata(np.stack([one.draws for one in candidates]), axis=1)
    correlation = np.corrcoef(ranks)
    chosen = _chosen(candidates, correlation)
    numbers = [candidates[place] for place in chosen]
    shown = correlation[np.ix_(chosen, chosen)]

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(
            len(numbers), len(numbers), left=0.03, right=0.99, bottom=0.06, top=0.95,
            wspace=0.12, hspace=0.12,
        )  # fmt: skip
        for row, below in enumerate(numbers):
            for column, beside in enumerate(numbers[: row + 1]):
                axes = figure.add_subplot(grid[row, column])
                axes.set_xticks([])
                axes.set_yticks([])
                if row == column:
                    _diagonal(axes, below)
                else:
                    _cloud(axes, beside, below, float(shown[row, column]))

    pairs_in_words = "; ".join(
        f"{numbers[j].label} and {numbers[i].label}: {shown[i, j]:.2f}"
        for i in range(len(numbers))
        for j in range(i)
    )
    total = sum(site.size for site in content.sites)
    remark = (
        "The numbers that are most correlated or least like a Gaussian"
        + (f", of {len(candidates)} looked at" if total > len(candidates) else "")
        + "; in the corners their rank correlation. Each column shares the axis of its top."
    )
    return [
        Paragraph(remark, quiet=True),
        Gallery(
            [
                picture(
                    draw, _WIDTH, round(_WIDTH * 0.9), key="pairs",
                    alt=f"Scatter plots with rank correlations. {pairs_in_words}",
                )
            ],
            "whole",
        ),
    ]  # fmt: skip


def _chosen(candidates: Sequence[Number], correlation: Array) -> list[int]:
    """Return the places of the numbers to show: the closest pair, then the oddest others."""
    strength = np.abs(correlation)
    strength[strength > _EXACT] = 0.0
    first = np.unravel_index(int(np.argmax(strength)), strength.shape)
    draws = np.stack([one.draws for one in candidates])
    oddness = np.minimum(np.abs(stats.skew(draws, axis=1)), 2.0) / 2
    score = strength.max(axis=1) + oddness
    rest = [int(place) for place in np.argsort(-score, kind="stable") if place not in first]
    return sorted([*map(int, first), *rest][:_SHOWN])


def _diagonal(axes: Axes, one: Number) -> None:
    grid, mass = density(one.finite)
    axes.fill_between(grid, mass, color=Colour.ACCENT.value, alpha=0.25, linewidth=0)
    axes.plot(grid, mass, color=Colour.ACCENT.value, linewidth=1.2)
    axes.set_xlim(*usual_range(one.finite))
    axes.set_ylim(bottom=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(shortened(one.label, 15), loc="left", fontsize=9)


def _cloud(axes: Axes, beside: Number, below: Number, correlation: float) -> None:
    step = max(1, len(beside.draws) // _POINTS)
    x, y = beside.draws[::step], below.draws[::step]
    # One path of dots, which are strokes of no length with round ends: a tenth of the size of
    # as many markers.
    dots = Path(np.repeat(np.stack([x, y], axis=1), 2, axis=0), [Path.MOVETO, Path.LINETO] * len(x))
    dots.should_simplify = False
    axes.add_patch(
        PathPatch(
            dots, facecolor="none", edgecolor=Colour.ACCENT.value, linewidth=2, alpha=0.45,
            capstyle="round",
        )
    )  # fmt: skip
    for limit, one in ((axes.set_xlim, beside), (axes.set_ylim, below)):
        low, high = usual_range(one.finite)
        room = 0.04 * (high - low)
        limit(low - room, high + room)
    axes.text(
        0.97, 0.97, f"{round(correlation, 2) + 0.0:.2f}".replace("-", "−"),
        ha="right", va="top", transform=axes.transAxes, fontsize=8,
        bbox={"facecolor": Colour.PAGE.value, "alpha": 0.8, "linewidth": 0, "pad": 1},
    )  # fmt: skip
