"""Fits and comparisons where the compiler is broken: right, and said what is not used."""

from __future__ import annotations

import json
import math
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_helpers import run, write

from autoguide_core.engine.native import loops, passes

SPEC = """\
data {
  dim obs, pred
  X[obs, pred] : real
  y[obs] : real
}
model line {
  b[pred] ~ Normal(0, 2)
  s ~ HalfNormal(1)
  plate obs {
    y ~ Normal(dot(X, b), s)
  }
}
fit {
  steps = 400
  draws = 400
}
"""
MEAN_FIELD = SPEC.replace("fit {", "guide {\n  part all = AutoNormal(*)\n}\nfit {")
WRONG = "the compiled code is wrong ("
SAYS = "please report it, with what `pplc cache show "


GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(40, 2, generator=GENERATOR)
Y = X @ torch.tensor([1.0, -0.5]) + 0.5 * torch.randn(40, generator=GENERATOR)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data, a cache of the test's own, and a compiler that subtracts where it is to add."""
    place, script = tmp_path / "cache", tmp_path / "cxx"
    place.mkdir(mode=0o700)
    script.write_text('#!/bin/bash\nexec g++ "${@/#-O3/-O0}"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PPLC_CACHE_DIR", str(place))
    monkeypatch.setenv("PPLC_COMPILER", str(script))
    monkeypatch.setitem(loops._ACCUMULATE, "+", "{0} -= {1};")
    (tmp_path / "data.json").write_text(json.dumps({"X": X.tolist(), "y": Y.tolist()}))
    write(tmp_path / "line.ppl", SPEC)
    write(tmp_path / "field.ppl", MEAN_FIELD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(output: str) -> str:
    """What was printed, in one line."""
    return " ".join(output.split())


def is_right(sites: dict[str, dict[str, float]], of: str = "") -> bool:
    """Whether a summary agrees with least squares."""
    best = torch.linalg.lstsq(X, Y[:, None]).solution[:, 0]
    noise = (Y - X @ best).square().sum() / 38
    sds = torch.linalg.inv(X.T @ X).diagonal().mul(noise).sqrt()
    means, spreads = ([sites[f"b[{k}]"][of + what] for k in range(2)] for what in ("mean", "sd"))
    off = (torch.tensor(means) - best).abs() / sds
    return bool((off < 0.4).all()) and spreads == pytest.approx(sds.tolist(), rel=0.3)


def test_a_fit_takes_the_graph_and_says_so(files: Path) -> None:
    words = ("field.ppl", "--data", "data.json")
    result = run("fit", *words, "--engine", "native")
    assert result.exit_code == 1
    assert WRONG in result.stderr
    assert SAYS in result.stderr
    assert "engine 'auto' takes the next best" in result.stderr
    result = run("fit", *words)  # the library is there, so that the first step could be its own
    assert result.exit_code == 0, result.output
    assert f"engine: graph (the steps were not compiled: {WRONG}" in told(result.stdout)
    assert is_right(json.loads((files / "field-fit" / "summary.json").read_text())["sites"])
    key = told(result.stdout).partition(SAYS)[2].partition("`")[0]
    assert '"difference": "' in run("cache", "show", key).stdout.splitlines()[-1]
    assert "wrong" in run("cache").stdout


def test_a_comparison_takes_the_graph_and_says_so(files: Path) -> None:
    lengths = ("--chains", "2", "--draws", "150", "--tune", "200")
    result = run("compare", "line.ppl", "--data", "data.json", *lengths)
    assert result.exit_code == 0, result.output
    assert f"engine: graph ({WRONG}values: off by" in told(result.stdout)
    assert f"• evaluated by the graph, not compiled: {WRONG}" in told(result.stdout)
    sites = json.loads((files / "line-compare" / "compare.json").read_text())["sites"]
    assert is_right(sites, "guide_")
    assert is_right(sites, "nuts_")


RATE = """\
data {
  dim obs
  y[obs] : real
}
model rate {
  a ~ Normal(0, 3)
  plate obs {
    y ~ Normal(exp(a), 0.5)
  }
}
fit {
  steps = 400
  draws = 400
}
"""


def test_code_that_is_wrong_only_where_the_posterior_is_is_not_relied_on(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof at the start, where a is 0, finds nothing."""
    monkeypatch.setitem(loops._ACCUMULATE, "+", "{0} += {1};")
    source = passes.program_source

    def wrong_from_one(*given: Any) -> Any:
        text = source(*given)
        return re.sub(r"m_exp\((\w+)\)", r"(m_exp(\1) * (\1 > 1 ? 1.1 : 1))", text)

    monkeypatch.setattr(passes, "program_source", wrong_from_one)
    write(files / "rate.ppl", RATE)
    (files / "rate.json").write_text(json.dumps({"y": [6.9, 7.4, 8.1, 7.6]}))
    lengths = ("--chains", "2", "--draws", "150", "--tune", "200")
    result = run("compare", "rate.ppl", "--data", "rate.json", *lengths)
    assert result.exit_code == 0, result.output
    assert f"engine: graph ({WRONG}" in told(result.stdout)
    assert f"evaluated by the graph, not compiled: {WRONG}" in told(result.stdout)
    (site,) = json.loads((files / "rate-compare" / "compare.json").read_text())["sites"].values()
    for of in ("guide_", "nuts_"):
        assert site[of + "mean"] == pytest.approx(math.log(7.5), abs=0.01)  # 0.1 less where wrong
        assert site[of + "sd"] == pytest.approx(0.25 / 7.5, rel=0.25)
