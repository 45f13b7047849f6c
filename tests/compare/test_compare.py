"""A fit beside NUTS: that both are the same posterior, that the verdict is true, and the files."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import arviz
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import pplc
from compiler.compare import Comparison, show_comparison
from compiler.compare.table import badness, comparison_table
from compiler.compare.verdict import judge

SPEC = """\
data {
  dim obs
  dim school
  s[obs] : index(school)
  x[obs] : real
  y[obs] : real
}
model line {
  slope ~ Normal(0, 1)
  tau   ~ HalfNormal(1)
  plate school { a ~ Normal(0, tau) reparam noncentered }
  record twice = 2 * slope
  plate obs minibatch 4 {
    late ~ Bernoulli(0.5) marginalize
    y    ~ Normal(a[s] + slope * x + 0.1 * late, 0.5)
  }
}
guide {
  part all = AutoNormal(*)
}
guide point {
  part all = AutoDelta(*)
}
"""
DATA = {
    "school": ["A", "B", "C"],
    "s": ["A", "A", "B", "B", "C", "C", "A", "B"],
    "x": [-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0],
    "y": [-0.9, -0.2, 0.2, 0.4, 0.3, 0.9, 1.6, 2.1],
}
SHORT = {"draws": 400, "tune": 400, "chains": 2, "seed": 3, "progress": False}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return pplc.loads(SPEC).compare(DATA, steps=1500, **SHORT)


def test_both_have_the_same_variables_dims_and_coords(comparison: Comparison):
    guide, nuts = comparison.fit.idata.posterior, comparison.nuts.posterior
    assert list(guide) == list(nuts)
    assert {"late", "twice", "a"} <= set(nuts)
    assert nuts.sizes["chain"] == 2
    assert nuts.sizes["draw"] == 400
    for name in guide:
        assert guide[name].dims == nuts[name].dims
    assert nuts["a"].coords["school"].to_numpy().tolist() == ["A", "B", "C"]
    np.testing.assert_allclose(nuts["twice"], 2 * nuts["slope"])
    assert set(np.unique(nuts["late"])) == {0, 1}


def test_table_is_that_of_the_draws(comparison: Comparison):
    row = comparison.table.loc["a[B]"]
    nuts, guide = (
        comparison.nuts.posterior["a"][..., 1],
        comparison.fit.idata.posterior["a"][..., 1],
    )
    assert row["nuts_mean"] == pytest.approx(float(nuts.mean()))
    assert row["guide_sd"] == pytest.approx(float(guide.std(ddof=1)))
    assert row["shift"] == pytest.approx(float((guide.mean() - nuts.mean()) / nuts.std(ddof=1)))
    assert row["r_hat"] == pytest.approx(float(arviz.rhat(nuts.to_numpy())))


def test_meets_the_exact_posterior_of_a_regression():
    x, y = np.array(DATA["x"]), np.array(DATA["y"])
    spec = pplc.loads(
        "data {\n  dim obs\n  x[obs] : real\n  y[obs] : real\n}\n"
        "model {\n  a ~ Normal(0, 2)\n  b ~ Normal(0, 2)\n"
        "  plate obs { y ~ Normal(a + b * x, 0.5) }\n}\n"
    )
    found = spec.compare({"x": x, "y": y}, steps=1000, **{**SHORT, "draws": 1000})
    design = np.column_stack([np.ones_like(x), x])
    covariance = np.linalg.inv(design.T @ design / 0.25 + np.eye(2) / 4)
    mean, sd = covariance @ design.T @ y / 0.25, np.sqrt(np.diag(covariance))
    assert found.converged
    assert found.agrees
    assert "agrees with NUTS" in found.verdict[1]
    for values in ("guide", "nuts"):
        assert (abs(found.table[f"{values}_mean"] - mean) < 0.12 * sd).all()
        assert (abs(found.table[f"{values}_sd"] / sd - 1) < 0.1).all()


def test_a_point_disagrees(comparison: Comparison):
    found = pplc.loads(SPEC).compare(DATA, guide="point", steps=300, **SHORT)
    assert found.agrees is False
    assert "differs from NUTS" in found.verdict[1]
    assert "no spread at all" in found.verdict[1]
    assert badness(found.table).loc["slope"] == np.inf
    np.testing.assert_array_equal(found.nuts.posterior["slope"], comparison.nuts.posterior["slope"])


def test_terminal_shows_the_worst_first(comparison: Comparison):
    text = io.StringIO()
    show_comparison(comparison, Console(file=text, width=90), Path("out"))
    shown = text.getvalue()
    worst = str(badness(comparison.table).idxmax())
    assert worst in shown.splitlines()[4]
    for sentence in (*comparison.verdict, comparison.sampled_by):
        assert sentence[:40] in shown
    assert "saved in out" in shown


def test_notebook(comparison: Comparison):
    html = comparison._repr_html_()
    assert "a[B]" in html
    assert "<script" not in html


def test_files_open_elsewhere(comparison: Comparison, tmp_path: Path):
    folder = comparison.save(tmp_path / "out")
    comparison.save(folder)  # what is there is ours, and replaced
    nuts = arviz.from_netcdf(folder / "nuts.nc", engine="h5netcdf")
    assert {"posterior", "sample_stats", "observed_data"} <= set(nuts.groups())
    assert "diverging" in nuts.sample_stats
    assert (folder / "posterior.nc").exists()
    table = pd.read_csv(folder / "compare.csv", index_col="site")
    pd.testing.assert_frame_equal(table, comparison.table, check_index_type=False)
    record = json.loads((folder / "compare.json").read_text())
    assert record["verdict"] == list(comparison.verdict)
    assert set(record["sites"]) == set(comparison.table.index)
    assert (folder / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_what_has_not_converged_is_no_judge(comparison: Comparison):
    draws = comparison.nuts.posterior
    apart = draws.assign(slope=draws["slope"] + draws["chain"])
    table = comparison_table(comparison.fit.idata.posterior, apart, 400)
    judged = judge(table, comparison.run)
    assert (judged.converged, judged.agrees) == (False, None)
    assert "has not converged" in judged.convergence
    assert "(slope)" in judged.convergence
    assert "left open" in judged.agreement


def test_divergences_are_told(comparison: Comparison):
    from dataclasses import replace

    wild = np.zeros((2, 400), dtype=bool)
    wild[0, :100] = True
    judged = judge(comparison.table, replace(comparison.run, statistics={"diverging": wild}))
    assert not judged.converged
    assert "100 of 800 draws diverged" in judged.convergence


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "data {\n  dim obs\n  y[obs] : real\n}\nmodel {\n  m ~ Normal(0, 1)\n"
            "  z ~ Bernoulli(0.5)\n  plate obs { y ~ Normal(m + z, 1) }\n}\n"
            "guide {\n  part d = AutoDiscreteParallel(z)\n  part c = AutoNormal(*)\n}\n",
            "z is discrete",
        ),
    ],
)
def test_refused_in_words(spec: str, message: str):
    with pytest.raises(pplc.SpecError, match="PPL089") as caught:
        pplc.loads(spec).compare({"y": [1.0, 2.0]}, **SHORT)
    assert message in str(caught.value)


def test_too_few_draws_are_refused():
    with pytest.raises(pplc.SpecError, match="chains is 1"):
        pplc.loads(SPEC).compare(DATA, **{**SHORT, "chains": 1})


def test_the_sampler_is_asked_for_before_the_fit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "nutpie", None)
    with pytest.raises(pplc.SpecError, match="PPL089") as caught:
        pplc.loads(SPEC).compare(DATA, steps=10**9, **SHORT)
    assert "pip install" in str(caught.value)
