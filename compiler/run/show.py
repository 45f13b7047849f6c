"""Shows a fit in the terminal: the summary table, the discrete sites and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from compiler.run.checking import ODD
from compiler.run.result import Fit
from compiler.run.summary import discrete_frame, summary_frame

MOST_ENTRIES = 12
"""How many entries of one site are shown."""

_MOST_ODD = 4
_UNSETTLED = "the guide itself had not settled, which the annealed draws do not depend on"
_GAP = 3  # the box's blanks and line between two columns
_LEAST_LABEL = 8
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


def show_fit(fit: Fit, console: Console | None = None, folder: Path | None = None) -> None:
    """Print a fit.

    Args:
        fit: The fit.
        console: Where to; standard output by default.
        folder: Where it was saved, to say so.
    """
    console = console or Console()
    if fit.continuous_sites:
        console.print(_table(fit, console.width))
    if fit.discrete_sites:
        console.print(_discrete_table(fit, console.width))
    for text, good in verdict_lines(fit):
        console.print(marked(text, good))
    for note in (fit.stepped_by, *fit.notes):
        console.print(Text(f"• {note}", style="dim"))
    if folder is not None:
        console.print(Text(f"saved in {folder}"))


def verdict_lines(fit: Fit) -> list[tuple[str, bool | None]]:
    """Return the sentences of the verdict, each with whether it is a good one; None: unknown."""
    verdict: list[tuple[str, bool | None]] = [(fit.posterior.trust, fit.posterior.trusted)]
    if fit.posterior.correction == "annealing" and fit.trusted and not fit.converged:
        verdict.append((f"{_UNSETTLED} ({fit.engine.verdict})", None))
    elif fit.trusted is False and fit.converged:
        verdict.append((fit.engine.verdict, None))  # nothing is well that rests on those draws
    else:
        verdict.append((fit.engine.verdict, fit.converged))
    return verdict if fit.trusted is False else [*verdict, *_predictive_lines(fit)]


def marked(text: str, good: bool | None) -> Text:
    """Return a sentence behind the mark of a good or a bad one; None: unknown."""
    mark, style = _MARKS[good]
    return Text(f"{mark} ", style=style) + Text(text)


def _predictive_lines(fit: Fit) -> list[tuple[str, bool | None]]:
    """Return what the data drawn from the model look like beside the data, in a sentence."""
    p = fit.predictive_checks()["p"]
    if p.empty:
        return []
    odd = p[(p < ODD) | (p > 1.0 - ODD)]
    if odd.empty:
        return [("data drawn from the model look like the data, in mean, sd, min and max", True)]
    told = ", ".join(f"{name} (p {value:.3f})" for name, value in odd.head(_MOST_ODD).items())
    more = f" and {len(odd) - _MOST_ODD} more" if len(odd) > _MOST_ODD else ""
    return [(f"data drawn from the model differ from the data in {told}{more}", None)]


def _table(fit: Fit, room: int) -> Table:
    rows: list[tuple[str, ...]] = []
    for name in fit.continuous_sites:
        frame = summary_frame(fit.idata["posterior"], [name])
        for label, row in frame.head(MOST_ENTRIES).iterrows():
            rows.append((str(label), *(f"{value:.4g}" for value in row)))
        rows.extend(_rest(name, len(frame)))
    head = ("", "mean", "sd", "5%", "50%", "95%")
    return laid_out(fit.program.name, head, rows, "right", room)


def _discrete_table(fit: Fit, room: int) -> Table:
    rows: list[tuple[str, ...]] = []
    for name in fit.discrete_sites:
        frame = discrete_frame(fit.idata["posterior"], [name])
        for label, row in frame.head(MOST_ENTRIES).iterrows():
            rows.append((str(label), str(row["mode"]), f"{row['probability']:.2f}", row["all"]))
        rows.extend(_rest(name, len(frame)))
    return laid_out("discrete sites", ("", "mode", "probability", "all"), rows, "left", room)


def _rest(name: str, count: int) -> list[tuple[str, ...]]:
    """Return a row that stands for the entries that are not shown."""
    return [(f"… {count - MOST_ENTRIES:,} more {name}",)] if count > MOST_ENTRIES else []


def laid_out(
    title: str,
    head: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    justify: JustifyMethod,
    room: int,
    caption: str = "all of them are in posterior.nc",
) -> Table:
    """Return a table in which, where room is short, labels are cut and numbers never.

    Args:
        title: Stands above it.
        head: The columns' names.
        rows: A row's cells; a row of one cell stands for rows that are not shown.
        justify: How the columns but the first are set.
        room: Characters that a line has.
        caption: Stands below it where rows are not shown.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    widths = [
        max([len(column), *(len(row[i]) for row in rows if len(row) > i)])
        for i, column in enumerate(head)
    ]
    left = room - 2 - sum(width + _GAP for width in widths[1:]) - _GAP
    table.add_column(head[0], no_wrap=True, max_width=max(left, _LEAST_LABEL))
    for column, width in zip(head[1:], widths[1:], strict=True):
        table.add_column(column, justify=justify, no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*map(Text, row), style="dim" if len(row) == 1 else None)
    if any(len(row) == 1 for row in rows):
        table.caption = caption
        table.caption_justify = "left"
    return table
