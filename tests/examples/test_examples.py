"""The commands of the examples' READMEs, end to end through the command line."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from example_documents import ROOT, Command, commands, run

EXAMPLES = ROOT / "examples"
FITS = [
    pytest.param(
        place.parent.name, command, id=f"{place.parent.name}: {command.line.split(chr(10))[0]}"
    )
    for place in sorted(EXAMPLES.glob("*/README.md"))
    for command in commands(place)
    if command.fits
]
OUTPUT = {
    "posterior.nc", "spec.ppl", "chosen.ppl", "module.py", "ir.json", "summary.json",
    "settings.json", ".pplc.json",
}  # fmt: skip

# Means of reference posteriors (posteriordb, NUTS), each with its standard deviation.
REFERENCE = {
    "eight_schools": {"mu": (4.41, 3.31), "theta[A]": (6.2, 5.6)},
    "radon": {"mu": (1.4156, 0.0376), "b_floor": (-0.6387, 0.0664), "sigma": (0.7295, 0.0177)},
    "mixture": {"mu[0]": (-2.7335, 0.042), "mu[1]": (2.8698, 0.0546), "w[0]": (0.6215, 0.0155)},
    "callable_part": {"b[D]": (-2.775, 0.144), "b[H]": (-1.977, 0.209), "mu": (-2.554, 0.158)},
    "varying_slopes": {"beta[intercept]": (0.55, 0.09), "beta[log_arsenic]": (0.94, 0.15)},
}


def fitted(example: str, command: Command, scratch: Path, *more: str) -> dict[str, object]:
    """Run a command in a copy of the example's folder and return its summary."""
    work = scratch / example
    shutil.copytree(EXAMPLES / example, work, ignore=shutil.ignore_patterns("fit", "*-fit"))
    done = run(command, work, more)
    assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout
    assert {file.name for file in (work / "fit").iterdir()} == OUTPUT
    summary = json.loads((work / "fit" / "summary.json").read_text(encoding="utf-8"))
    assert isinstance(summary, dict)
    return summary


@pytest.mark.parametrize(("example", "command"), FITS)
def test_a_short_fit_runs(example: str, command: Command, tmp_path: Path) -> None:
    summary = fitted(example, command, tmp_path, "--steps", "100", "--draws", "100")
    sites = summary["sites"]
    assert isinstance(sites, dict)
    assert set(REFERENCE[example]) <= set(sites)
    assert all(math.isfinite(row["mean"]) for row in sites.values())


@pytest.mark.slow
@pytest.mark.parametrize(("example", "command"), FITS)
def test_the_posterior_is_the_known_one(example: str, command: Command, tmp_path: Path) -> None:
    summary = fitted(example, command, tmp_path)
    sites = summary["sites"]
    assert isinstance(sites, dict)
    for name, (mean, deviation) in REFERENCE[example].items():
        assert abs(sites[name]["mean"] - mean) < 0.35 * deviation, name


def test_a_callable_needs_leave(tmp_path: Path) -> None:
    work = tmp_path / "callable_part"
    shutil.copytree(EXAMPLES / "callable_part", work)
    done = run(Command("compile-and-fit surgical.ppl --data surgical.csv", ""), work)
    assert done.returncode == 1
    assert "PPL083" in done.stdout
    assert not (work / "surgical-fit").exists()


def test_data_of_others_keep_their_licence() -> None:
    for data in EXAMPLES.glob("*/*.csv"):
        assert "BSD 3-Clause" in (data.parent / "LICENSE.posteriordb").read_text(encoding="utf-8")
