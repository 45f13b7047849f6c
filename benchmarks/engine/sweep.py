"""How the cost of a step grows with the data: ours alone, one size after the other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from rich.table import Table

from benchmarks.engine.comparison import Plan
from benchmarks.engine.rows import SWEEPS, Row
from benchmarks.engine.worker import Job


def sweep(plan: Plan, say: Callable[[str], None], *, quick: bool) -> Iterator[dict[str, Any]]:
    """Measure every sweep.

    Args:
        plan: Surroundings, repeats, seconds and engine are used.
        say: Told what goes on.
        quick: Leave the two largest sizes of each sweep out.

    Yields:
        For JSON: the sweep's title, and of each size its ``n`` and the seconds of a step.
    """
    for title, rows in SWEEPS.items():
        sizes = [_size(row, plan, say) for row in (rows[:-2] if quick else rows)]
        yield {"title": title, "sizes": sizes}


def _size(row: Row, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    each: list[float] = []
    for repeat in range(plan.repeats):
        say(f"{row.model}, {row.name}, {repeat + 1}/{plan.repeats}")
        job = Job("steady", row, engine=plan.compiled, seconds=plan.seconds)
        each.extend(plan.surroundings.measure(job)["each_s"])
    return {"name": row.name, "n": row.sizes["n"], "step_s": each}


def table(found: dict[str, Any]) -> Table:
    """The table of one sweep; the slope is that of a line through two neighbours, log against log.

    A slope of 1 is growth in proportion to the data, 0 is none.
    """
    shown = Table(title=f"Ours: {found['title']}", title_justify="left")
    for column in ("size", "µs per step", "ns per datum", "slope"):
        shown.add_column(column, justify="right")
    before: tuple[int, float] | None = None
    for size in found["sizes"]:
        n, seconds = size["n"], statistics.median(size["step_s"])
        slope = "" if before is None else f"{_slope(before, (n, seconds)):.2f}"
        shown.add_row(size["name"], f"{seconds * 1e6:,.3g}", f"{seconds * 1e9 / n:,.3g}", slope)
        before = (n, seconds)
    return shown


def _slope(first: tuple[int, float], second: tuple[int, float]) -> float:
    """The slope between two points, log against log; NaN if noise has made a time negative."""
    if min(first[1], second[1]) <= 0:
        return math.nan
    return math.log(second[1] / first[1]) / math.log(second[0] / first[0])
