"""The marginal densities of a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compiler.report.blocks import Block, Gallery, Paragraph, Picture
from compiler.report.content import Content
from compiler.report.draws import Number, some_numbers
from compiler.report.figures import Colour, picture
from compiler.report.figures.density import density
from compiler.report.figures.text import shortened
from compiler.report.numbers import number

_MOST = 12
_OF_LONG = 3
_WIDTH, _HEIGHT = 165, 118
_FEW_VALUES = 12
_FEW_DRAWS = 5


def densities(content: Content) -> Sequence[Block]:
    """Return a small picture for each of a few numbers."""
    chosen = some_numbers(content.sites, _MOST, of_long=_OF_LONG)
    if not chosen:
        return []
    remark = "Shaded: the middle 90 % of the draws; line: the median."
    total = sum(site.size for site in content.sites)
    if total > len(chosen):
        remark += f" Shown are {len(chosen)} of {total:,} numbers, some of each site."
    return [
        Paragraph(remark, quiet=True),
        Gallery([_panel(one, f"density-{i}") for i, one in enumerate(chosen)]),
    ]


def _panel(one: Number, key: str) -> Picture:
    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.06, 0.2, 0.88, 0.62))
        axes.set_title(shortened(one.label, 26), loc="left")
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        _marks(axes, one)

    if one.constant:
        value = number(float(one.finite[0])) if one.finite.size else "none"
        alt = f"{one.label}: all draws are {value}"
    else:
        low, _, middle, _, high = one.quantiles
        alt = (
            f"Density of {one.label}: median {number(middle)}, "
            f"90 % between {number(low)} and {number(high)}"
        )
    return picture(draw, _WIDTH, _HEIGHT, key=key, alt=alt)


def _marks(axes: Axes, one: Number) -> None:
    """Draw what suits the draws: a line, bars, or a density."""
    if one.finite.size == 0:
        axes.set_xticks([])
        axes.text(0.5, 0.4, "no finite draws", ha="center", transform=axes.transAxes)
    elif one.constant and not one.discrete:
        value = float(one.finite[0])
        axes.axvline(value, color=Colour.ACCENT.value, linewidth=2)
        axes.set_xticks([value], [number(value)])
    elif one.discrete and len(np.unique(one.finite)) <= _FEW_VALUES:
        values, counts = np.unique(one.finite, return_counts=True)
        axes.bar(values, counts, width=0.7, color=Colour.ACCENT.value, alpha=0.6)
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.set_xlim(values[0] - 1, values[-1] + 1)
    else:
        _curve(axes, one)


def _curve(axes: Axes, one: Number) -> None:
    if len(one.finite) < _FEW_DRAWS:
        axes.plot(one.finite, np.zeros(len(one.finite)), "|", color=Colour.ACCENT.value)
        return
    grid, mass = density(one.finite)
    low, _, middle, _, high = one.quantiles
    inside = (grid >= low) & (grid <= high)
    axes.fill_between(
        grid, mass, where=inside.tolist(), color=Colour.ACCENT.value, alpha=0.25, linewidth=0
    )
    axes.plot(grid, mass, color=Colour.ACCENT.value, linewidth=1.4)
    top = float(np.interp(middle, grid, mass))
    axes.plot([middle, middle], [0, top], color=Colour.INK.value, linewidth=1)
    axes.set_ylim(0, float(mass.max()) * 1.05)
    axes.locator_params(axis="x", nbins=3)
