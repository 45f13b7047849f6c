"""NUTS on our density: against posteriors that are known, and on its threads."""

from __future__ import annotations

import sys

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch

from autoguide_core.engine.errors import FitError, RequestError
from autoguide_core.sampling import NutsSettings, evaluators, sample_nuts

SHORT = NutsSettings(chains=3, draws=400, tune=300, seed=5)


def conjugate(y: torch.Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 2.0))
    tau = pyro.sample("tau", dist.Gamma(3.0, 2.0))
    pyro.deterministic("double", 2 * mu)
    with pyro.plate("obs", len(y)):
        pyro.sample("y", dist.Normal(mu, 1.0), obs=y)
    pyro.sample("t", dist.Poisson(4.0 * tau), obs=torch.tensor(9.0))


Y = torch.tensor([0.3, 1.9, 1.1, 2.2, 0.7], dtype=torch.float64)


def test_meets_exact_posteriors():
    run = sample_nuts(conjugate, (Y,), settings=SHORT)
    precision = 1 / 4 + len(Y)
    mu, tau = run.latents["mu"].numpy(), run.latents["tau"].numpy()
    assert mu.shape == (3 * 400,)
    assert mu.mean() == pytest.approx(float(Y.sum()) / precision, abs=0.06)
    assert mu.std() == pytest.approx(precision**-0.5, rel=0.12)
    assert tau.mean() == pytest.approx(12 / 6, abs=0.09)
    assert tau.std() == pytest.approx(12**0.5 / 6, rel=0.12)
    assert {values.shape for values in run.statistics.values()} == {(3, 400)}
    assert not run.statistics["diverging"].any()


def test_threads_give_the_numbers_of_one(monkeypatch: pytest.MonkeyPatch):
    alone = sample_nuts(conjugate, (Y,), settings=SHORT)
    monkeypatch.setattr(evaluators, "_WORTH_A_THREAD", 0)
    monkeypatch.setattr(evaluators.os, "cpu_count", lambda: 3)
    reports = []
    together = sample_nuts(conjugate, (Y,), settings=SHORT, progress=reports.append)
    assert together.engine == "native"
    for name, values in alone.latents.items():
        assert torch.equal(values, together.latents[name])
    assert (reports[-1].step, reports[-1].total, reports[-1].phase) == (2100, 2100, "NUTS")


def test_discrete_sites_are_summed_out_and_shapes_are_those_of_a_run():
    def model():
        centre = pyro.sample("centre", dist.Normal(torch.tensor([-3.0, 3.0]), 0.2).to_event(1))
        weights = pyro.sample("weights", dist.Dirichlet(torch.ones(2)))
        with pyro.plate("obs", 6):
            z = pyro.sample("z", dist.Categorical(weights), infer={"enumerate": "parallel"})
            y = torch.tensor([-3.1, -2.8, -3.3, -2.9, 3.2, 2.9])
            pyro.sample("y", dist.Normal(centre[z], 0.5), obs=y)

    run = sample_nuts(model, settings=SHORT)
    assert set(run.latents) == {"centre", "weights"}
    assert run.latents["weights"].shape == (1200, 2)
    np.testing.assert_allclose(run.latents["weights"].sum(1), 1.0)
    np.testing.assert_allclose(run.latents["weights"][:, 0].mean(), 5 / 8, atol=0.05)


def test_a_region_without_density_only_diverges():
    def model():
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.factor("wall", torch.log(2.0 + x) * 0.0)

    run = sample_nuts(model, settings=SHORT)
    assert run.latents["x"].min() > -2.0
    assert run.statistics["diverging"].any()


def test_without_a_finite_start_it_says_so():
    def model():
        pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.factor("never", torch.tensor(float("-inf")))

    with pytest.raises(FitError, match="cannot start"):
        sample_nuts(model, settings=SHORT)


def test_without_the_sampler_it_names_the_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "nutpie", None)
    with pytest.raises(RequestError, match=r"pip install 'pplc\[sampling\]'"):
        sample_nuts(conjugate, (Y,), settings=SHORT)
