"""How the ELBO went, with the part that is worth looking at on the axis."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from compiler.report.blocks import Block, Gallery, Paragraph, Table
from compiler.report.content import Content
from compiler.report.figures import Colour, picture
from compiler.report.numbers import counted, number

Array = npt.NDArray[np.float64]

_BLOCKS = 250
_FEWEST = 4  # steps in a block
_WIDTH, _HEIGHT = 360, 210
_PLAIN = 1e8
"""Values below are written out on the axis."""
_SETTLED = 0.25
"""The share of the steps after which all of the curve is kept on the axis."""

_PHASE = re.compile(r"(\w+) from step ([\d,]+)")


def elbo(content: Content) -> Sequence[Block]:
    """Return the trace of the ELBO, and the restarts where there were several."""
    blocks: list[Block] = []
    group = content.groups.get("fit")
    values = np.asarray(group["elbo"].to_numpy(), dtype=float) if group is not None else np.empty(0)
    steps = np.asarray(group["step"].to_numpy(), dtype=float) if group is not None else values
    finite = np.isfinite(values)
    if finite.sum() > 1:
        blocks += _trace(steps[finite], values[finite], content)
    if restarts := content.outcome.get("restarts"):
        head = list(restarts[0])
        rows = [[number(row[column]) for column in head] for row in restarts]
        blocks.append(Table(head, rows, "Starting points"))
    return blocks


def _trace(steps: Array, values: Array, content: Content) -> list[Block]:
    at, low, middle, high = _condensed(steps, values)
    later = at >= steps[0] + _SETTLED * (steps[-1] - steps[0])
    least, most = float(low[later].min()), float(high[later].max())
    room = 0.06 * (most - least) or 1.0
    below = int((values < least - room).sum())
    phases = [
        (match[1], int(match[2].replace(",", "")))
        for match in _PHASE.finditer(str(content.outcome.get("engine")))
    ]

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0.16, 0.18, 0.81, 0.75))
        accent = Colour.ACCENT.value
        axes.fill_between(at, low, high, color=accent, alpha=0.22, linewidth=0)
        axes.plot(at, middle, color=accent, linewidth=1.4)
        axes.set_ylim(least - room, most + room)
        axes.set_xlim(steps[0], steps[-1])
        axes.set_xlabel("step")
        axes.set_title("ELBO in nats", loc="left")
        axes.locator_params(nbins=5)
        if max(abs(least), abs(most)) < _PLAIN:
            axes.ticklabel_format(axis="y", style="plain")
        for name, step in phases:
            axes.axvline(step, color=Colour.FAINT.value, linewidth=1, linestyle=(0, (3, 3)))
            axes.text(step, least, f" {name}", fontsize=9, va="bottom")

    last = number(content.outcome["elbo"])
    remark = f"Means and spread of neighbouring steps; mean over the last tenth: {last} nats."
    if below:
        remark += f" {counted(below, 'step lies', 'steps lie')} below the axis."
    return [
        Paragraph(remark, quiet=True),
        Gallery(
            [
                picture(
                    draw, _WIDTH, _HEIGHT, key="elbo",
                    alt=f"The ELBO over {len(values):,} steps; {last} nats at the end",
                )
            ],
            "whole",
        ),
    ]  # fmt: skip


def _condensed(steps: Array, values: Array) -> tuple[Array, Array, Array, Array]:
    """Return for blocks of neighbouring steps: their place, a low, a mean and a high value."""
    parts = np.array_split(np.arange(len(values)), min(_BLOCKS, max(1, len(values) // _FEWEST)))
    at = np.array([steps[part].mean() for part in parts])
    low, high = (np.array([np.quantile(values[part], q) for part in parts]) for q in (0.05, 0.95))
    return at, low, np.array([np.median(values[part]) for part in parts]), high
