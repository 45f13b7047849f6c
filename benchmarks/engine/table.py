"""The printed tables; they are made of what the JSON file holds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from benchmarks.engine.comparison import Result

_TITLES = {"ours": "ours", "numpyro": "NumPyro", "pyro": "Pyro"}
_EMPTY = "–"


def tables(results: Sequence[Result], sides: Sequence[str]) -> Iterable[Table]:
    """A table for each kind of figure that was taken."""
    found = [side for result in results for side in result["sides"].values()]
    if any("step_s" in each for each in found):
        yield _steady(results, sides)
    if any("first_cold_s" in each for each in found):
        yield _first(results, sides)
    if any("wall" in each for each in found):
        yield _wall(results, sides)
        yield _ends(results, sides)


def _steady(results: Sequence[Result], sides: Sequence[str]) -> Table:
    rivals = _rivals(sides)
    table = _table(
        "One step when all is compiled, µs (± half the range)",
        [
            "row",
            *(_TITLES[side] for side in sides),
            *(f"{_TITLES[side]} / ours" for side in rivals),
            "two bare passes",
            "ours / passes",
            "our engine",
        ],
    )
    for result in results:
        times = {side: result["sides"][side].get("step_s", []) for side in sides}
        mine = _median(times.get("ours", []))
        bare = result.get("passes_s")
        table.add_row(
            result["row"]["name"],
            *(_with_range(times[side]) for side in sides),
            *(_ratio(_median(times[side]), mine) for side in rivals),
            _EMPTY if bare is None else f"{bare * 1e6:,.3g}",
            _ratio(mine, bare),
            result["sides"].get("ours", {}).get("engine") or _EMPTY,
        )
    return table


def _first(results: Sequence[Result], sides: Sequence[str]) -> Table:
    columns = [(side, kind) for side in sides for kind in _kinds(side)]
    rivals = _rivals(sides)
    table = _table(
        "From asking for a fit to its first step, s",
        [
            "row",
            *(f"{_TITLES[side]}, {kind}" for side, kind in columns),
            *(f"{_TITLES[side]} / ours, cold" for side in rivals),
        ],
    )
    for result in results:
        taken = {
            (side, kind): _median(result["sides"][side].get(f"first_{kind}_s", []))
            for side, kind in columns
        }
        table.add_row(
            result["row"]["name"],
            *(_seconds(taken[column]) for column in columns),
            *(_ratio(taken[side, "cold"], taken.get(("ours", "cold"))) for side in rivals),
        )
    return table


def _wall(results: Sequence[Result], sides: Sequence[str]) -> Table:
    columns = [(side, kind) for side in sides for kind in _kinds(side)]
    rivals = [(side, kind) for side in _rivals(sides) for kind in _kinds(side)]
    table = _table(
        "Whole process, s (~ reckoned from a shorter run and the cost of a step)",
        [
            "row",
            "steps",
            *(f"{_TITLES[side]}, {kind}" for side, kind in columns),
            *(f"{_TITLES[side]} / ours, {kind}" for side, kind in rivals),
        ],
    )
    for result in results:
        for steps in _lengths(result):
            taken = {
                (side, kind): _whole(result["sides"][side], steps, kind) for side, kind in columns
            }
            seconds = {column: value for column, (value, _) in taken.items()}
            table.add_row(
                result["row"]["name"],
                f"{int(steps):,}",
                *(f"{mark}{_seconds(value)}" for value, mark in taken.values()),
                *(
                    _ratio(seconds[side, kind], seconds.get(("ours", kind)))
                    for side, kind in rivals
                ),
            )
        table.add_section()
    return table


def _ends(results: Sequence[Result], sides: Sequence[str]) -> Table:
    table = _table(
        "Where the runs end: ELBO, the mean of the last tenth of the steps, in nats; "
        "peak memory of the process, MB",
        [
            "row",
            "after steps",
            *(f"ELBO, {_TITLES[side]}" for side in sides),
            *(f"MB, {_TITLES[side]}" for side in sides),
            "MB, compiler",
        ],
    )
    for result in results:
        runs = {side: result["sides"][side].get("wall", {}) for side in sides}
        made = {side: {n for n, run in runs[side].items() if "elbo" in run} for side in sides}
        shared = set(_lengths(result)).intersection(*filter(None, made.values()))
        if not shared:
            continue
        steps = max(shared, key=int)
        ends = {side: runs[side][steps] for side in sides if steps in made[side]}
        compiler = _median(ends.get("ours", {}).get("child_peak_mb", []))
        table.add_row(
            result["row"]["name"],
            f"{int(steps):,}",
            *(_elbo(ends.get(side)) for side in sides),
            *(_megabytes(_median(ends.get(side, {}).get("peak_mb", []))) for side in sides),
            _megabytes(compiler),
        )
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=not index)
    return table


def _rivals(sides: Sequence[str]) -> list[str]:
    return [side for side in sides if side != "ours"] if "ours" in sides else []


def _kinds(side: str) -> tuple[str, ...]:
    return ("cold",) if side == "pyro" else ("cold", "warm")  # Pyro compiles nothing


def _lengths(result: Result) -> list[str]:
    """The numbers of steps of a row's whole runs, rising."""
    return sorted({n for side in result["sides"].values() for n in side.get("wall", {})}, key=int)


def _whole(side: dict[str, Any], steps: str, kind: str) -> tuple[float | None, str]:
    """Seconds of a whole run, and the mark of those that were not made."""
    run = side.get("wall", {}).get(steps, {})
    if reckoned := run.get("reckoned"):
        return reckoned.get(f"{kind}_s"), "~"
    return _median(run.get(f"{kind}_s", [])), ""


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _with_range(times: Sequence[float]) -> str:
    if not times:
        return _EMPTY
    middle = statistics.median(times)
    spread = (max(times) - min(times)) / 2 / abs(middle) if middle else 0.0
    return f"{middle * 1e6:,.3g} ±{spread:.0%}"


def _seconds(value: float | None) -> str:
    return _EMPTY if value is None else f"{value:,.2f}"


def _megabytes(value: float | None) -> str:
    return f"{value:,.0f}" if value else _EMPTY


def _elbo(run: dict[str, Any] | None) -> str:
    if run is None:
        return _EMPTY
    return f"{statistics.median(run['elbo']):,.2f} ±{statistics.median(run['elbo_error']):.2g}"


def _ratio(theirs: float | None, mine: float | None) -> str:
    if theirs is None or not mine:
        return _EMPTY
    return f"{theirs / mine:,.3g}"
