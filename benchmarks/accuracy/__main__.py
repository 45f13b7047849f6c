"""The command line: ``python -m benchmarks.accuracy --help``, from the top of the project."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from benchmarks.accuracy.ours import Runs, fit
from benchmarks.accuracy.peers import Kept, run_missing
from benchmarks.accuracy.posteriors import REFERENCES, posteriors
from benchmarks.accuracy.table import as_text, summary, table


def main() -> None:
    """Fit, compare, print and write."""
    options = _options()
    console, notes = Console(), Console(stderr=True)
    wanted = [one for one in posteriors(options.references) if one.spec.exists()]
    if options.posteriors:
        known = {one.name: one for one in wanted}
        unknown = [name for name in options.posteriors if name not in known]
        if unknown:
            raise SystemExit(f"no posterior {', '.join(unknown)}; there are {', '.join(known)}")
        wanted = [known[name] for name in options.posteriors]
    peers = {}
    if options.peers:
        kept = Kept(options.peers)
        if options.numpyro_python:
            python, models = options.numpyro_python, options.numpyro_models
            run_missing(kept, wanted, python, models, notes.print)
        peers = kept.errors(wanted)
    rows: list[Runs] = []
    for posterior in wanted:
        notes.print(posterior.name)
        rows.append(fit(posterior, options.seeds))
        for file in options.out:
            file.write_text(as_text(rows, peers, file.suffix.removeprefix(".")), encoding="utf-8")
    wide = console if console.is_terminal else Console(width=240)
    wide.print(table(rows, peers))
    for line in summary(rows, peers):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="Fit public posteriors with default settings and compare them with their "
        "references: the worst parameter, over all seeds.",
    )
    add = parser.add_argument
    add("posteriors", nargs="*", metavar="POSTERIOR", help="by default all that have a spec")
    add("--seeds", type=int, default=5, help="how many fits of each (5); the first is the cold one")
    add("--references", type=Path, default=REFERENCES, help="the folder of data and references")
    add("--out", type=Path, action="append", default=[], metavar="FILE",
        help="write the table, as .md or .csv; may be given twice")  # fmt: skip
    add("--peers", type=Path, metavar="FILE", help="show NumPyro's errors beside, kept in a .json")
    add("--numpyro-python", type=Path, metavar="PYTHON",
        help="an interpreter with NumPyro: fit with it what FILE lacks")  # fmt: skip
    add("--numpyro-models", type=Path, metavar="FOLDER", help="the models, in *_models.py")
    options = parser.parse_args()
    if options.numpyro_python and not (options.peers and options.numpyro_models):
        parser.error("--numpyro-python needs --peers and --numpyro-models")
    if any(file.suffix not in (".md", ".csv") for file in options.out):
        parser.error("--out writes .md or .csv")
    return options


if __name__ == "__main__":
    main()
