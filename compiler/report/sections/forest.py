"""Intervals of the numbers beside each other: a forest plot, and bands for long arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from compiler.report.blocks import Block, Gallery, Paragraph, Picture
from compiler.report.content import Content
from compiler.report.draws import SHORT, Number, SiteDraws, by_importance
from compiler.report.figures import Colour, picture
from compiler.report.figures.text import shortened, text_width
from compiler.report.numbers import counted, number

_WIDTH = 340
_ROW, _FOOT, _HEAD = 18, 24, 22
_MOST_PANELS = 12
_MOST_ROWS = 80
_LEAST_SHARE = 1 / 60
"""A number whose interval is a smaller share of its panel's axis goes to another panel."""
_MOST_RANKS = 300


def forest(content: Content) -> Sequence[Block]:
    """Return a panel for each group of numbers of like scale, and one for each long array."""
    sites = [site for site in by_importance(content.sites) if not site.discrete]
    pictures: list[Picture] = []
    rows = left = 0
    for group in _groups(sites):
        if len(pictures) == _MOST_PANELS or rows > _MOST_ROWS:
            left += len({number.site for number in group})
            continue
        rows += len(group)
        pictures.append(_intervals(group, f"forest-{len(pictures)}"))
    for site in sites:
        if site.size > SHORT:
            if len(pictures) < _MOST_PANELS:
                pictures.append(_band(site, f"forest-{len(pictures)}"))
            else:
                left += 1
    if not pictures:
        return []
    blocks: list[Block] = [
        Paragraph("Median, 50 % (thick) and 90 % (thin) intervals.", quiet=True),
        Gallery(pictures, "wide"),
    ]
    if left:
        text = f"{counted(left, 'further group')} not shown; the draws are in posterior.nc."
        blocks.append(Paragraph(text, quiet=True))
    return blocks


def _groups(sites: Sequence[SiteDraws]) -> Iterator[list[Number]]:
    """Yield numbers to be shown on one axis: single numbers together, and each short array."""
    single = [number for site in sites if site.scalar for number in site.numbers()]
    yield from _of_like_scale(single)
    for site in sites:
        if not site.scalar and site.size <= SHORT:
            yield from _of_like_scale(list(site.telling()))


def _of_like_scale(numbers: Sequence[Number]) -> Iterator[list[Number]]:
    """Split numbers so that on each axis every interval is wide enough to be seen."""
    shown = sorted((n for n in numbers if n.finite.size), key=lambda n: max(map(abs, n.quantiles)))
    group: list[Number] = []
    for one in shown:
        both = [*group, one]
        span = max(n.quantiles[4] for n in both) - min(n.quantiles[0] for n in both)
        widths = [n.quantiles[4] - n.quantiles[0] for n in both if not n.constant]
        if group and len(widths) > 1 and min(widths) < span * _LEAST_SHARE:
            yield _in_order(group, numbers)
            group = [one]
        else:
            group = both
    if group:
        yield _in_order(group, numbers)


def _in_order(group: Sequence[Number], numbers: Sequence[Number]) -> list[Number]:
    places = {number.label: i for i, number in enumerate(numbers)}
    return sorted(group, key=lambda number: places[number.label])


def _intervals(group: Sequence[Number], key: str) -> Picture:
    labels = [shortened(number.label) for number in group]
    height = _ROW * len(group) + _FOOT + 6
    margin = max(map(text_width, labels)) + 10

    def draw(figure: Figure) -> None:
        foot = _FOOT / height
        axes = figure.add_axes(
            (margin / _WIDTH, foot, 1 - (margin + 14) / _WIDTH, 1 - foot - 6 / height)
        )
        axes.spines["left"].set_visible(False)
        for place, one in enumerate(group):
            low, lower, middle, upper, high = one.quantiles
            axes.plot([low, high], [place, place], color=Colour.ACCENT.value, linewidth=1.2)
            axes.plot([lower, upper], [place, place], color=Colour.ACCENT.value, linewidth=4)
            axes.plot([middle], [place], "o", color=Colour.INK.value, markersize=4)
        axes.set_ylim(len(group) - 0.5, -0.5)
        axes.set_yticks(range(len(group)), labels)
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=5)
        least, most = axes.get_xlim()
        if least < 0 < most:
            axes.axvline(0, color=Colour.FAINT.value, linewidth=0.8, linestyle=(0, (3, 3)))

    words = "; ".join(
        f"{one.label} {number(one.quantiles[2])} "
        f"({number(one.quantiles[0])} to {number(one.quantiles[4])})"
        for one in group
    )
    return picture(draw, _WIDTH, height, key=key, alt=f"Median and 90 % interval: {words}")


def _band(site: SiteDraws, key: str) -> Picture:
    """Draw the intervals of an array in the order of their medians."""
    with np.errstate(invalid="ignore"):
        values = np.where(np.isfinite(site.values), site.values, np.nan)
        kept = np.flatnonzero(np.isfinite(values).any(axis=0))
        quantiles = np.nanquantile(values[:, kept], [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    order = np.argsort(quantiles[2], kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, min(len(order), _MOST_RANKS)).astype(int))
    low, lower, middle, upper, high = quantiles[:, order[places]]

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.14, 0.18, 0.82, 0.72))
        accent = Colour.ACCENT.value
        axes.fill_between(places, low, high, color=accent, alpha=0.18, linewidth=0)
        axes.fill_between(places, lower, upper, color=accent, alpha=0.35, linewidth=0)
        axes.plot(places, middle, color=Colour.INK.value, linewidth=1.2)
        axes.set_xlabel("rank by the median")
        axes.set_title(shortened(f"{site.name}: {site.size:,} entries", 40), loc="left")
        axes.locator_params(nbins=5)
        axes.margins(x=0.01)
        least, most = axes.get_ylim()
        if least < 0 < most:
            axes.axhline(0, color=Colour.FAINT.value, linewidth=0.8, linestyle=(0, (3, 3)))

    words = f"Medians and intervals of the {site.size:,} entries of {site.name}, in order"
    caption = ""
    if len(order):
        ends = kept[order[0]], kept[order[-1]]
        caption = f"Lowest {site.labels[ends[0]]}, highest {site.labels[ends[1]]}."
    return picture(draw, _WIDTH, 190, key=key, alt=words, caption=caption)
