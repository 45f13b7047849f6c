"""The public posteriors as specs: all compile, and default fits meet their references."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import pplc

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted((ROOT / "examples" / "posteriors").glob("*.ppl"))
REFERENCES = ROOT.parent / "shared" / "posteriors"

FITTED = (
    "kidiq-kidscore_momiq",  # linear
    "wells_data-wells_dist",  # logistic
    "GLM_Poisson_Data-GLM_Poisson_model",  # counts
    "Rate_2_data-Rate_2_model",  # conjugate, exact
    "gp_pois_regr-gp_regr",  # Gaussian process
    "eight_schools-eight_schools_noncentered",  # hierarchical
    "low_dim_gauss_mix-low_dim_gauss_mix",  # mixture, summed out
)


@pytest.fixture(scope="module")
def accuracy() -> ModuleType:
    """Load the benchmark that compares fits with references."""
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "benchmarks" / "accuracy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_spec_compiles_without_a_word(path: Path) -> None:
    assert not pplc.load(path).check()


def test_every_spec_belongs_to_a_posterior(accuracy: ModuleType) -> None:
    assert set(accuracy.POSTERIORS.values()) == {path.stem for path in SPECS}


@pytest.mark.slow
@pytest.mark.skipif(not REFERENCES.is_dir(), reason="the reference posteriors are not here")
@pytest.mark.parametrize("posterior", FITTED)
def test_default_fit_meets_its_reference(posterior: str, accuracy: ModuleType) -> None:
    found = accuracy.compare(posterior, REFERENCES, seed=0)
    assert found["compared"] > 0
    assert found["shift"] < 0.1
    assert found["least"] > 0.9
    assert found["most"] < 1.1
