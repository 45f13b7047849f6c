"""The table, and what it comes to in a few lines."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.table import Table

from benchmarks.accuracy.errors import Errors
from benchmarks.accuracy.ours import Runs

Peers = Mapping[str, Mapping[str, Errors]]
"""The errors of other libraries' fits, by guide and posterior."""

_OURS = (
    "posterior", "seeds", "n", "|Δ|/sd", "net", "worst", "sd ratios", "k-hat", "verdict",
    "cold s", "warm s",
)  # fmt: skip


def columns(peers: Peers) -> list[str]:
    """Return the headings."""
    return [*_OURS, *(f"{guide}: {what}" for guide in peers for what in ("|Δ|/sd", "sd ratios"))]


def cells(row: Runs, peers: Peers) -> list[str]:
    """Return one row: the worst of all seeds."""
    told = [row.posterior, str(len(row.runs))]
    if row.failure:
        told += ["", "failed", *[""] * (len(_OURS) - 4)]
    else:
        khats = [run.khat for run in row.runs if not math.isnan(run.khat)]
        told += _errors(row.errors)
        told += [
            f"{max(khats):.2f}" if khats else "—",
            "/".join(sorted({run.verdict for run in row.runs})),
            f"{row.cold:.1f}",
            "—" if math.isnan(row.warm) else f"{row.warm:.1f}",
        ]
    for errors in peers.values():
        found = errors.get(row.posterior)
        told += ["—", "—"] if found is None else [f"{found.shift:.3f}", _ratios([found])]
    return told


def _errors(errors: Sequence[Errors]) -> list[str]:
    if not errors:
        return ["0", "—", "—", "—", "—"]
    worst = max(errors, key=lambda one: one.shift)
    missing = f" (lacks {len(worst.missing)})" if worst.missing else ""
    net = max(one.net for one in errors)
    return [
        f"{worst.compared}{missing}", f"{worst.shift:.3f}", f"{net:.3f}", worst.where,
        _ratios(errors),
    ]  # fmt: skip


def _ratios(errors: Sequence[Errors]) -> str:
    return f"{min(one.least for one in errors):.3f}–{max(one.most for one in errors):.3f}"


def table(rows: Iterable[Runs], peers: Peers) -> Table:
    """Return the table for the terminal."""
    made = Table(box=box.SIMPLE, padding=(0, 1))
    for position, heading in enumerate(columns(peers)):
        made.add_column(heading, justify="left" if position in (0, 5, 8) else "right")
    for row in rows:
        made.add_row(*cells(row, peers))
    return made


def as_text(rows: Sequence[Runs], peers: Peers, kind: str) -> str:
    """Return the table and its summary as `md`, or the table as `csv`."""
    lines = [columns(peers), *(cells(row, peers) for row in rows)]
    if kind == "csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(lines)
        return out.getvalue()
    lines.insert(1, ["---"] * len(lines[0]))
    shown = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*shown, "", *(f"- {line}" for line in summary(rows, peers)), ""])


def summary(rows: Sequence[Runs], peers: Peers) -> list[str]:
    """Return what the table comes to, a sentence each."""
    judged = [row for row in rows if row.errors or row.failure]
    close = [row for row in judged if row.errors and all(one.close for one in row.errors)]
    tight = [row for row in judged if row.errors and all(one.tight for one in row.errors)]
    misses = [row for row in judged if row not in close]
    silent = [
        f"{row.posterior} (seed {run.seed})"
        for row in misses
        for run in row.runs
        if run.errors is not None and not run.errors.close and run.verdict == "clean"
    ]
    timed = [row for row in rows if row.runs]
    slowest = sorted(timed, key=lambda row: row.cold, reverse=True)[:3]
    found = [
        f"within 0.1 sd and 0.9–1.1 with every seed: {len(close)} of {len(judged)}",
        f"within 0.05 sd and 0.95–1.05 with every seed: {len(tight)} of {len(judged)}",
        "misses: " + (", ".join(row.posterior for row in misses) or "none"),
        "clean verdicts on a miss: " + (", ".join(silent) or "none"),
        "slowest: " + (", ".join(f"{row.posterior} {row.cold:.1f} s" for row in slowest) or "—"),
    ]
    found += [f"{row.posterior} failed: {row.failure}" for row in rows if row.failure]
    for guide, errors in peers.items():
        good = sum(one.close for one in errors.values())
        found.append(f"{guide}, within 0.1 sd and 0.9–1.1: {good} of {len(errors)}")
    return found
