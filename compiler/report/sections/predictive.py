"""Whether data drawn from the fitted model look like the data, site by site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from compiler.report.blocks import Block, Gallery, Paragraph, Picture, Table
from compiler.report.content import Content
from compiler.report.figures import picture
from compiler.report.figures.checks import KINDS
from compiler.report.numbers import counted, number
from compiler.report.predictive import Array, Check, checks

_MOST_SITES = 8
_WIDTH, _HEIGHT = 340, 200
_ODD = 0.025

_STATISTICS: dict[str, Callable[[Array], Array]] = {
    "mean": lambda values: values.mean(axis=-1),
    "sd": lambda values: values.std(axis=-1),
    "min": lambda values: values.min(axis=-1),
    "max": lambda values: values.max(axis=-1),
}


def predictive(content: Content) -> Sequence[Block]:
    """Return a picture for each observed site, and the p-values of a few statistics."""
    shown = list(islice(checks(content), _MOST_SITES + 1))
    if not shown:
        if any(site.observed for site in content.program.sites()):
            return [Paragraph("The data were not replicated, so there is no check.")]
        return []
    blocks: list[Block] = [
        Paragraph("Data drawn from the fitted model (replicates) beside the data.", quiet=True)
    ]
    if len(shown) > _MOST_SITES:
        shown = shown[:_MOST_SITES]
        blocks.append(Paragraph(f"The first {_MOST_SITES} observed sites.", quiet=True))
    blocks.append(Gallery([_drawn(check) for check in shown], "wide"))
    rows = [row for check in shown for row in _rows(check)]
    head = ("", "p", "data", "replicates", "5 %", "95 %")
    blocks.append(Table(head, rows, "Statistics of the data and of their replicates"))
    if any(row[1].endswith("!") for row in rows):
        text = "Marked (!): the data lie in the outer 5 % of what the model replicates."
        blocks.append(Paragraph(text))
    for check in shown:
        if check.broken:
            many = counted(check.broken, "number")
            text = f"{check.name}: {many} left out, with a replicate that is NaN or infinite."
            blocks.append(Paragraph(text))
    text = "p: the share of replicates whose statistic is at least that of the data, ties halved."
    return [*blocks, Paragraph(text, quiet=True)]


def _drawn(check: Check) -> Picture:
    kind = next(kind for kind in KINDS if kind.suits(check))

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.11, 0.13, 0.86, 0.74))
        kind.draw(axes, check)

    return picture(
        draw, _WIDTH, _HEIGHT, key=f"predictive-{check.name}",
        alt=f"Posterior predictive check of {check.name}. {kind.words}",
        caption=f"{check.name}. {kind.words}",
    )  # fmt: skip


def _rows(check: Check) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, statistic in _STATISTICS.items():
        if len(check.observed) < 2 and name != "mean":
            continue
        observed, replicated = float(statistic(check.observed)), statistic(check.replicates)
        near = np.isclose(replicated, observed, rtol=1e-12, atol=0.0)
        p = float(((replicated > observed) & ~near).mean() + near.mean() / 2)
        low, middle, high = (float(q) for q in np.quantile(replicated, [0.05, 0.5, 0.95]))
        mark = " !" if min(p, 1 - p) < _ODD else ""
        cells = (number(observed), number(middle), number(low), number(high))
        rows.append((f"{name}({check.name})", f"{p:.3f}{mark}", *cells))
    return rows
