"""The public posteriors as specs: all compile, and default fits meet their references."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pplc
from benchmarks.accuracy.errors import compare
from benchmarks.accuracy.moments import Moments, by_number, moments
from benchmarks.accuracy.ours import fit
from benchmarks.accuracy.posteriors import REFERENCES, ROOT, SPECS, Posterior, posteriors

FITTED = (
    "kidiq-kidscore_momiq",  # linear
    "wells_data-wells_dist",  # logistic
    "GLM_Poisson_Data-GLM_Poisson_model",  # counts
    "Rate_2_data-Rate_2_model",  # conjugate, exact
    "gp_pois_regr-gp_regr",  # Gaussian process
    "eight_schools-eight_schools_noncentered",  # hierarchical
    "low_dim_gauss_mix-low_dim_gauss_mix",  # mixture, summed out
)

with_references = pytest.mark.skipif(
    not REFERENCES.is_dir(), reason="the reference posteriors are not here"
)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.ppl")), ids=lambda path: path.stem)
def test_spec_compiles_without_a_word(path: Path) -> None:
    assert not pplc.load(path).check()


@with_references
def test_every_spec_belongs_to_a_posterior() -> None:
    assert {path.stem for path in SPECS.glob("*.ppl")} <= {p.spec.stem for p in posteriors()}


@pytest.mark.slow
@with_references
@pytest.mark.parametrize("name", FITTED)
def test_default_fit_meets_its_reference(name: str) -> None:
    found = fit(Posterior(name), seeds=1)
    assert not found.failure
    (errors,) = found.errors
    assert errors.close, errors


@with_references
def test_the_benchmark_runs(tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    program = ["-m", "benchmarks.accuracy", "Rate_2_data-Rate_2_model", "--seeds", "1"]
    command = [sys.executable, *program, "--out", str(out), "--peers", str(tmp_path / "none.json")]
    environment = {**os.environ, "PPLC_REFERENCES": str(REFERENCES), "PPLC_COMPILER": "none"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "clean verdicts on a miss" in done.stdout
    assert "| Rate_2_data-Rate_2_model | 1 | 3 |" in out.read_text(encoding="utf-8")


def test_errors_are_those_of_the_worst_parameter() -> None:
    reference = {
        "a": Moments(1.0, 2.0, -2.3, 1.0, 4.3, mcse=0.1),
        "b[1]": Moments(5.0, 1.0, 3.4, 5.0, 6.6),
        "tail": Moments(50.0, 900.0, 1.0, 10.0, 100.0, mcse=9.0),
        "c": Moments(0.0, 1.0, -1.6, 0.0, 1.6),
    }
    found = {
        "a": Moments(1.5, 2.2, -2.3, 1.5, 4.3),
        "b[1]": Moments(5.1, 0.95, 3.4, 5.1, 6.6),
        "tail": Moments(70.0, 9000.0, 1.0, 10.0, 100.0),
    }
    errors = compare(found, reference)
    assert errors is not None
    assert (errors.compared, errors.where, errors.missing) == (3, "a", ("c",))
    assert errors.shift == pytest.approx(0.25)
    assert errors.net == pytest.approx(0.15)
    assert (errors.least, errors.most) == pytest.approx((0.95, 1.1))
    assert compare(found, {}) is None


def test_numbers_are_called_as_references_call_them() -> None:
    import numpy as np

    draws = np.random.default_rng(1).normal(size=(1000, 2, 2))
    found = by_number({"x": draws, "s": draws[:, 0, 0]})
    assert list(found) == ["x[1,1]", "x[1,2]", "x[2,1]", "x[2,2]", "s"]
    assert found["s"] == found["x[1,1]"] == moments(draws[:, 0, 0])
