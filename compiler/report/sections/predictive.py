"""Whether data drawn from the fitted model look like the data, site by site."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pandas as pd
from matplotlib.figure import Figure

from compiler.report.blocks import Block, Gallery, Paragraph, Picture, Table
from compiler.report.content import Content
from compiler.report.figures import picture
from compiler.report.figures.checks import KINDS
from compiler.report.numbers import counted, number
from compiler.run.checking import ODD, Check, checks, predictive_frame

_MOST_SITES = 8
_WIDTH, _HEIGHT = 340, 200


def predictive(content: Content) -> Sequence[Block]:
    """Return a picture for each observed site, and the p-values of a few statistics."""
    shown = list(islice(checks(content.program, content.groups), _MOST_SITES + 1))
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
    frame = predictive_frame(content.program, content.groups)
    rows = [_row(str(label), values) for label, values in frame.iterrows()]
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


def _row(label: str, values: pd.Series) -> tuple[str, ...]:
    p, *others = (float(value) for value in values)
    mark = " !" if min(p, 1.0 - p) < ODD else ""
    return (label, f"{p:.3f}{mark}", *map(number, others))
