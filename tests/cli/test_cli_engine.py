"""`compile-and-fit`: what makes its steps, and fits that are broken off and go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import run, write

import pplc

ROOT = Path(__file__).parents[2]
SPEC = """\
data {
  dim obs
  y[obs] : real
}
model coin {
  mu ~ Normal(0, 5)
  plate obs {
    y ~ Normal(mu, 1)
  }
}
guide {
  part all = AutoNormal(*)
}
fit {
  steps = 400
  draws = 50
}
"""
DATA = {"y": [1.0, 2.0, 3.0]}
IMPATIENT = """\
import compiler.cli
from autoguide_core.engine.stepping.checkpoint import Checkpoint
Checkpoint.is_due = True
compiler.cli.main()
"""
"""The command line with a record in the checkpoint after each block of steps."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "coin.ppl", SPEC)
    (tmp_path / "data.json").write_text(json.dumps(DATA))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fitted(*arguments: str) -> dict[str, Any]:
    """The summary of a fit."""
    result = run("fit", "coin.ppl", "--data", "data.json", "--format", "json", *arguments)
    assert result.exit_code == 0, result.output
    summary: dict[str, Any] = json.loads(result.stdout)
    return summary


@pytest.mark.parametrize(
    ("arguments", "engine", "reason"),
    [
        (["--engine", "eager"], "eager", "as asked for"),
        (["--engine", "graph"], "graph", "as asked for"),
        (["--steps", "20"], "eager", "over before compiled code was ready"),
    ],
)
def test_the_engine_is_chosen_and_told(
    files: Path, arguments: list[str], engine: str, reason: str
) -> None:
    summary = fitted(*arguments)
    assert (summary["engine"], summary["engine_reason"]) == (engine, reason)
    record = json.loads((files / "coin-fit" / "settings.json").read_text())
    assert (record["engine"], record["engine_reason"]) == (engine, reason)
    assert record["settings"]["engine"] == ("auto" if reason.startswith("over") else engine)


def test_engines_make_the_same_steps_and_show_their_name(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del files
    eager, graph = (fitted("--engine", engine) for engine in ("eager", "graph"))
    assert eager["sites"]["mu"] == pytest.approx(graph["sites"]["mu"], rel=1e-9)
    monkeypatch.setenv("PPLC_COMPILER", "none")
    shown = run("fit", "coin.ppl", "--data", "data.json").stdout
    words = " ".join(shown.split())
    assert "engine: graph (the steps were not compiled: " in words
    assert words.count("PPLC_COMPILER=none") == 1  # no note says it again
    fit = pplc.loads(SPEC).fit(DATA, engine="eager", progress=False)
    assert "<p>engine: eager (as asked for)</p>" in fit._repr_html_()


def test_an_engine_that_is_not_to_be_had_is_told(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPLC_COMPILER", "none")
    result = run("fit", "coin.ppl", "--data", "data.json", "--engine", "native")
    assert result.exit_code == 1
    assert "error PPL081: engine 'native' cannot be used: native code is switched" in result.stderr
    assert "help: engine 'auto' takes the next best" in result.stderr
    assert not (files / "coin-fit").exists()
    on_cpu = run("fit", "coin.ppl", "--data", "data.json", "--engine", "cuda")
    assert "engine 'cuda' cannot be used: the parameters are not on a GPU" in on_cpu.stderr


def test_settings_of_the_engine_may_stand_in_the_spec(files: Path) -> None:
    write(files / "coin.ppl", SPEC.replace("draws = 50", "engine = eager; analytic_kl = true"))
    fitted()
    settings = json.loads((files / "coin-fit" / "settings.json").read_text())["settings"]
    assert (settings["engine"], settings["analytic_kl"]) == ("eager", True)
    fitted("--engine", "graph", "--no-analytic-kl")
    settings = json.loads((files / "coin-fit" / "settings.json").read_text())["settings"]
    assert (settings["engine"], settings["analytic_kl"]) == ("graph", False)


def test_analytic_kl_takes_noise_out_of_the_elbo(files: Path) -> None:
    del files
    spec = pplc.loads(SPEC.replace("~ Normal(mu, 1)", "~ Normal(mu, 50)"))
    noise = [
        spec.fit(DATA, analytic_kl=kl, method="adam", progress=False).elbo[-100:].std()
        for kl in (False, True)
    ]
    assert noise[1] < 0.2 * noise[0]


def test_optimizer_options_that_do_not_go_together_are_told(files: Path) -> None:
    write(files / "coin.ppl", SPEC.replace("draws", "optimizer = SGD(nesterov = true)\n  draws"))
    result = run("fit", "coin.ppl", "--data", "data.json")
    assert result.exit_code == 1
    assert "error PPL081: SGD: nesterov needs a momentum" in result.stderr


def test_a_fit_that_is_killed_goes_on_to_the_same_numbers(files: Path) -> None:
    arguments = ["--engine", "graph", "--steps", "2500", "--seed", "4"]
    command = [sys.executable, "-c", IMPATIENT, "fit", "coin.ppl", "--data", "data.json", "-q"]
    running = subprocess.Popen(
        [*command, *arguments, "--checkpoint", "coin.pt"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        deadline = time.monotonic() + 60
        while not (files / "coin.pt").exists() and running.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        running.kill()
    assert running.wait() == -signal.SIGKILL
    assert not (files / "coin-fit").exists()
    resumed, whole = fitted(*arguments, "--checkpoint", "coin.pt"), fitted(*arguments)
    assert resumed["sites"] == whole["sites"]
    assert resumed["elbo"] == whole["elbo"]
    # What is finished is there at once, and another fit does not go on from it.
    assert fitted(*arguments, "--checkpoint", "coin.pt")["sites"] == whole["sites"]
    before = (files / "coin.pt").read_bytes()
    other = run("fit", "coin.ppl", "--data", "data.json", "--checkpoint", "coin.pt", "-q")
    assert other.exit_code == 1
    assert "error PPL098: the checkpoint coin.pt is of another fit: steps is 2500" in other.stderr
    assert "help: remove it to start afresh, or name another file" in other.stderr
    assert (files / "coin.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("no/coin.pt", "the folder of the checkpoint no/coin.pt does not exist"),
        ("data.json", "data.json cannot be read as a checkpoint"),
    ],
)
def test_checkpoints_that_cannot_be_used_are_told(files: Path, file: str, message: str) -> None:
    before = sorted(files.rglob("*"))
    result = run("fit", "coin.ppl", "--data", "data.json", "--checkpoint", file)
    assert result.exit_code == 1
    assert f"error PPL098: {message}" in result.stderr
    assert sorted(files.rglob("*")) == before


def test_a_method_without_steps_says_that_it_keeps_no_checkpoint(files: Path) -> None:
    write(files / "coin.ppl", SPEC.replace("AutoNormal", "AutoMultivariateNormal"))
    summary = fitted("--checkpoint", "coin.pt")
    assert any("method 'curvature' keeps no checkpoint" in note for note in summary["notes"])
    assert not (files / "coin.pt").exists()


def test_restarts_keep_the_best_and_tell_how_many_came_near(files: Path) -> None:
    summary = fitted("--restarts", "3", "--engine", "graph", "--seed", "2")
    rows = summary["restarts"]
    assert [row["restart"] for row in rows] == [0, 1, 2]
    best = max(range(3), key=lambda place: rows[place]["final ELBO"])
    told = [note for note in summary["notes"] if "3 restarts came to within 1 nat" in note]
    assert f"of the best, restart {best} with" in told[0]
    assert summary["verdict"] == rows[best]["verdict"]
    assert summary["engine"] == "graph"
    assert fitted("--engine", "graph")["restarts"] is None
    spec = pplc.load(files / "coin.ppl")
    fit = spec.fit(DATA, restarts=3, engine="graph", seed=2, progress=False)
    assert fit.restarts is not None
    finals = [row["final ELBO"] for row in rows]
    assert fit.restarts["final ELBO"].tolist() == pytest.approx(finals)
    alone = spec.fit(DATA, engine="graph", seed=2 + best, progress=False)
    assert list(alone.elbo[-40:]) == pytest.approx(list(fit.elbo[-40:]), abs=0.3)


def test_restarts_and_a_checkpoint_exclude_each_other(files: Path) -> None:
    options = ["--restarts", "3", "--checkpoint", "coin.pt"]
    result = run("fit", "coin.ppl", "--data", "data.json", *options)
    assert result.exit_code == 1
    assert "error PPL081: restarts are not kept in a checkpoint" in result.stderr
    assert not (files / "coin.pt").exists()
    with pytest.raises(pplc.SpecError, match="restarts is 0"):
        pplc.loads(SPEC).fit(DATA, restarts=0, progress=False)
    assert run("fit", "coin.ppl", "--restarts", "0").exit_code == 2


def test_help_tells_what_the_options_are_for() -> None:
    words = " ".join(run("fit", "--help").stdout.split())
    assert "compiled code (native), a GPU's recording (cuda), torch (graph), Python" in words
    assert "if the file is there, go on from it, to the same numbers" in words
    result = run("fit", "coin.ppl", "--engine", "fast")
    assert result.exit_code == 2
    assert "'fast' is not one of 'auto', 'native', 'cuda', 'graph', 'eager'" in result.stderr
