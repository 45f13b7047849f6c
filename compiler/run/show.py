"""Shows a fit in the terminal: the summary table, the discrete sites and the verdict."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from compiler.run.posterior import USABLE
from compiler.run.result import Fit
from compiler.run.summary import discrete_frame, summary_frame

MOST_ENTRIES = 12
"""How many entries of one site are shown."""

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
        console.print(_table(fit))
    if fit.discrete_sites:
        console.print(_discrete_table(fit))
    for text, good in verdict_lines(fit):
        mark, style = _MARKS[good]
        console.print(Text(f"{mark} ", style=style) + Text(text))
    for note in fit.notes:
        console.print(Text(f"• {note}", style="dim"))
    if folder is not None:
        console.print(Text(f"saved in {folder}"))


def verdict_lines(fit: Fit) -> list[tuple[str, bool | None]]:
    """Return the sentences of the verdict, each with whether it is a good one; None: unknown."""
    trusted = None if fit.khat is None else fit.khat < USABLE
    return [(fit.engine.verdict, fit.converged), (fit.posterior.trust, trusted)]


def _table(fit: Fit) -> Table:
    table = Table(title=fit.program.name, title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for column in ("mean", "sd", "5%", "50%", "95%"):
        table.add_column(column, justify="right")
    for name in fit.continuous_sites:
        frame = summary_frame(fit.idata["posterior"], [name])
        for label, row in frame.head(MOST_ENTRIES).iterrows():
            table.add_row(Text(str(label)), *(f"{value:.4g}" for value in row))
        _add_rest(table, name, frame)
    return table


def _discrete_table(fit: Fit) -> Table:
    table = Table(title="discrete sites", title_justify="left", title_style="bold")
    for column in ("", "mode", "probability", "all"):
        table.add_column(column, no_wrap=True)
    for name in fit.discrete_sites:
        frame = discrete_frame(fit.idata["posterior"], [name])
        for label, row in frame.head(MOST_ENTRIES).iterrows():
            shown = (str(row["mode"]), f"{row['probability']:.2f}", str(row["all"]))
            table.add_row(Text(str(label)), *shown)
        _add_rest(table, name, frame)
    return table


def _add_rest(table: Table, name: str, frame: pd.DataFrame) -> None:
    if len(frame) > MOST_ENTRIES:
        rest = f"… {len(frame) - MOST_ENTRIES:,} more {name}, see posterior.nc"
        table.add_row(Text(rest, style="dim"))
