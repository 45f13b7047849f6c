"""Our engine estimates what Pyro's estimators estimate, on models after Pyro's examples."""

from __future__ import annotations

import pytest

from benchmarks.parity.models import CASES
from benchmarks.parity.moments import compare

QUICK = (
    "Bayesian regression",
    "variational autoencoder",
    "capture and recapture",
    "deep exponential family",
    "score function",
    "maximum likelihood",
    "attend, infer, repeat",
    "deep Markov model",
    "semi-supervised autoencoder",
    "epidemic",
)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.filterwarnings("ignore")
def test_elbo_and_gradient_are_those_of_pyro(name: str) -> None:
    found = compare(CASES[name], "graph", draws=60, steps=200)
    assert found.is_alike, found
