"""The progress bar of a fit, with the smoothed ELBO."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from autoguide_core import Progress as Report
from autoguide_core.engine.progress import ProgressCallback

_SMOOTHING = 0.8


@contextlib.contextmanager
def progress_bar(wanted: bool) -> Iterator[ProgressCallback | None]:
    """Show a bar on standard error while inside.

    Args:
        wanted: Whether to show one at all; none is shown where standard error is no terminal.

    Yields:
        What to report progress to; None where there is no bar.
    """
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("ELBO {task.fields[elbo]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        yield _Updater(bar)


class _Updater:
    """Keeps a task for each phase of a fit, and the running mean of its ELBO."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._elbo = math.nan

    def __call__(self, report: Report) -> None:
        if report.phase not in self._tasks:
            self._tasks[report.phase] = self._bar.add_task(report.phase, elbo="")
            self._elbo = math.nan
        if math.isfinite(report.elbo):
            started = math.isfinite(self._elbo)
            kept = _SMOOTHING if started else 0.0
            self._elbo = (kept * self._elbo if started else 0.0) + (1 - kept) * report.elbo
        shown = f"{self._elbo:,.1f}" if math.isfinite(self._elbo) else ""
        task = self._tasks[report.phase]
        self._bar.update(task, completed=report.step, total=report.total, elbo=shown)
