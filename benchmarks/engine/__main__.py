"""The command line: ``python -m benchmarks.engine --help``, from the top of the project."""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.engine.comparison import MEASURES, Plan, compare, disagreement
from benchmarks.engine.rows import ROWS, SIDES
from benchmarks.engine.runner import Surroundings
from benchmarks.engine.sweep import sweep
from benchmarks.engine.sweep import table as sweep_table
from benchmarks.engine.table import tables

_PACKAGES = ("torch", "pyro-ppl", "numpyro", "jax", "jaxlib")
_QUICK: dict[str, Any] = {"repeats": 1, "steps": (100, 300), "seconds": 0.3}


def main() -> None:
    """Measure, print and write."""
    options = _options()
    console = Console()
    notes = Console(stderr=True)
    sides = _present(options.sides, notes)
    surroundings = Surroundings(options.dtype, options.device, options.threads)
    chosen = {
        "repeats": options.repeats,
        "steps": tuple(options.steps) if options.steps else None,
        "limit": options.limit,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    plan = Plan(
        surroundings,
        sides,
        tuple(options.measures),
        engine=options.engine,
        **((_QUICK if options.quick else {}) | given),
    )
    document: dict[str, Any] = {"about": _about(options)}
    _warn_of_load(document["about"], notes)
    if options.sweep:
        document["sweeps"] = []
        for found in sweep(plan, notes.print, quick=options.quick):
            document["sweeps"].append(found)
            _write(options.json, document)
            console.print(sweep_table(found))
        return
    rows = [row for row in ROWS if row.name in options.rows]
    if options.quick:
        rows = [row.quick() for row in rows]
    for row in rows:
        notes.print(f"{row.name}: comparing densities")
        if difference := disagreement(row, plan):
            raise SystemExit(f"the sides do not have the same model: {difference}")
    document["rows"] = []
    for row in rows:
        document["rows"].append(compare(row, plan, notes.print))
        _write(options.json, document)
    wide = console if console.is_terminal else Console(width=160)
    for shown in tables(document["rows"], sides):
        wide.print(shown)
    for result in document["rows"]:
        for failure in result["failures"]:
            console.print(f"{result['row']['name']}: {failure}", markup=False)


def _options() -> argparse.Namespace:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine",
        description="Time our engine beside NumPyro's svi.run and Pyro's SVI.step: same model, "
        "guide, optimiser, dtype and cores; each measurement in a process of its own.",
    )
    add = parser.add_argument
    add("--rows", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    add("--sides", nargs="+", default=SIDES, choices=SIDES)
    add("--measures", nargs="+", default=MEASURES, choices=MEASURES)
    add("--sweep", action="store_true", help="instead: the cost of our step over sizes of data")
    add("--quick", action="store_true", help="tiny runs that show that all works; no figures")
    add("--repeats", type=int, help="how many times each figure is taken (3)")
    add("--steps", type=int, nargs="+", help="lengths of the whole runs (1000 10000 100000)")
    add("--limit", type=float, help="longer whole runs are reckoned, not made (120 s)")
    add("--dtype", default="float32", choices=("float32", "float64"))
    add("--device", default="cpu", choices=("cpu", "cuda"), help="cuda needs jax[cuda] for NumPyro")
    add("--threads", type=int, default=1, help="cores that each process is held to (1)")
    add("--engine", help="the engine of ours, as in FitSettings")
    add("--json", type=Path, metavar="FILE", help="write all figures, after each row")
    options = parser.parse_args()
    options.steps = sorted(options.steps) if options.steps else None
    return options


def _present(sides: list[str], notes: Console) -> tuple[str, ...]:
    """The sides that can be measured here."""
    if "numpyro" in sides and importlib.util.find_spec("numpyro") is None:
        notes.print(
            "NumPyro is not installed (pip install -r benchmarks/requirements.txt): left out"
        )
        sides = [side for side in sides if side != "numpyro"]
    return tuple(side for side in SIDES if side in sides)


def _about(options: argparse.Namespace) -> dict[str, Any]:
    """Where, when, with what and how the figures were taken."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), cpu)
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "options": {name: value for name, value in vars(options).items() if name != "json"},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "versions": versions,
    }


def _warn_of_load(about: dict[str, Any], notes: Console) -> None:
    if about["load"] > 0.5:
        notes.print(f"other processes are busy (load {about['load']:.1f}): take figures as hints")


def _write(file: Path | None, document: dict[str, Any]) -> None:
    if file is not None:
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
