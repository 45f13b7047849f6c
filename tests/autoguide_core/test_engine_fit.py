"""The front door: right answers, isolation, determinism, and errors that name the site."""

from __future__ import annotations

import math

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from autoguide_core import (
    AutoDelta,
    AutoDiscreteParallel,
    AutoGuideList,
    AutoLaplaceApproximation,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalMessenger,
    FitError,
    FitSettings,
    Progress,
    draw_posterior,
    explain_loss,
    fit,
)

DATA = torch.tensor([1.0, 2.0, 3.0, 2.5])
EVIDENCE = float(dist.MultivariateNormal(torch.zeros(4), torch.eye(4) + 1.0).log_prob(DATA))


def conjugate(y: torch.Tensor) -> None:
    """The posterior of mu is Normal(sum(y) / (n + 1), sqrt(1 / (n + 1)))."""
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(y)):
        pyro.sample("y", dist.Normal(mu, 1.0), obs=y)


def minibatched(y: torch.Tensor, size: int) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(y), subsample_size=size) as index:
        z = pyro.sample("z", dist.Normal(mu, 1.0))
        pyro.deterministic("twice", 2.0 * z)
        pyro.sample("y", dist.Normal(z, 1.0), obs=y[index])


def adam(**options: object) -> FitSettings:
    return FitSettings(**{"steps": 600, "method": "adam", **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", ["Adam", "ClippedAdam", "AdamW"])
def test_adam_finds_a_conjugate_posterior(optimizer: str) -> None:
    options = {"weight_decay": 0.0} if optimizer == "AdamW" else {}
    settings = adam(optimizer=optimizer, optimizer_options=options, particles=8)
    result = fit(conjugate, AutoNormal(conjugate), (DATA,), settings=settings)
    values = result.parameter_values()
    assert result.method == "adam"
    assert result.converged, result.verdict
    assert values["AutoNormal.locs.mu"] == pytest.approx(float(DATA.sum()) / 5.0, abs=0.03)
    assert values["AutoNormal.scales.mu"] == pytest.approx(5.0**-0.5, rel=0.05)
    assert result.elbo[-200:].mean() == pytest.approx(EVIDENCE, abs=0.02)
    assert list(result.elbo_steps[[0, -1]]) == [1, 600]


def test_sgd_and_every_schedule_run() -> None:
    for schedule in ("constant", "exponential", "one_cycle"):
        settings = adam(steps=50, optimizer="SGD", schedule=schedule)
        assert len(fit(conjugate, AutoNormal(conjugate), (DATA,), settings=settings).elbo) == 50


@pytest.mark.parametrize("method", ["adam", "curvature"])
def test_same_seed_same_numbers(method: str) -> None:
    runs = []
    for _ in range(2):
        torch.rand(3)
        settings = FitSettings(steps=60, method=method, seed=7)
        result = fit(conjugate, AutoMultivariateNormal(conjugate), (DATA,), settings=settings)
        draws = draw_posterior(result, conjugate, (DATA,), num_draws=5, seed=3)
        runs.append((result.elbo, draws.sites["mu"]))
    assert np.array_equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])


def test_store_and_random_state_are_put_back() -> None:
    mine = pyro.param("mine", torch.tensor(1.0))
    pyro.param("AutoNormal.locs.mu", torch.tensor(42.0))
    unconstrained = pyro.get_param_store()._params["mine"]
    state = torch.get_rng_state()
    result = fit(conjugate, AutoNormal(conjugate), (DATA,), settings=adam(steps=10))
    draw_posterior(result, conjugate, (DATA,), num_draws=2)
    with pytest.raises(FitError):
        fit(conjugate, AutoNormal(conjugate), (torch.tensor([math.nan]),), settings=adam())
    store = pyro.get_param_store()
    assert torch.equal(torch.get_rng_state(), state)
    assert set(store.keys()) == {"mine", "AutoNormal.locs.mu"}
    assert store._params["mine"] is unconstrained
    assert store["AutoNormal.locs.mu"].item() == 42.0
    assert mine.item() == 1.0
    with result.parameters():
        assert "mine" not in pyro.get_param_store()
        assert abs(pyro.param("AutoNormal.locs.mu").item()) < 10.0


def test_progress_ends_at_the_total() -> None:
    seen: list[Progress] = []
    fit(conjugate, AutoNormal(conjugate), (DATA,), settings=adam(steps=30), progress=seen.append)
    assert (seen[-1].step, seen[-1].total, seen[-1].phase) == (30, 30, "variational")
    assert math.isfinite(seen[-1].elbo)
    assert len(seen) < 30


def test_a_short_run_is_not_called_converged() -> None:
    far = torch.full((4,), 500.0)
    result = fit(conjugate, AutoNormal(conjugate), (far,), settings=adam(steps=300))
    assert not result.converged
    assert "still rising" in result.verdict
    result = fit(conjugate, AutoNormal(conjugate), (DATA,), settings=adam(steps=20))
    assert not result.converged
    assert "too few" in result.verdict


def test_model_that_does_not_broadcast_is_run_particle_by_particle() -> None:
    design = torch.ones(4, 1)

    def model() -> None:
        beta = pyro.sample("beta", dist.Normal(torch.zeros(1), 1.0).to_event(1))
        with pyro.plate("data", 4):
            pyro.sample("y", dist.Normal(design @ beta, 1.0), obs=DATA)

    result = fit(model, AutoNormal(model), settings=adam(particles=3, steps=300))
    assert "one by one" in result.notes[0]
    assert result.elbo[-50:].mean() == pytest.approx(EVIDENCE, abs=0.2)


def test_minibatches_in_the_fit_full_data_in_the_draws() -> None:
    y = torch.linspace(-1.0, 3.0, 20)
    result = fit(minibatched, AutoNormal(minibatched), (y, 5), settings=adam(steps=500))
    draws = draw_posterior(result, minibatched, (y, 5), num_draws=300)
    assert draws.sites["z"].shape == (300, 20)
    assert draws.sites["twice"].shape == (300, 20)
    assert torch.allclose(draws.sites["twice"], 2.0 * draws.sites["z"])
    assert float(draws.sites["mu"].mean()) == pytest.approx(float(y.sum()) / 22.0, abs=0.3)
    again = draw_posterior(result, minibatched, (y, 20), num_draws=300)
    assert draws.log_p is not None
    assert again.log_p is not None
    assert torch.allclose(draws.log_p, again.log_p)


def test_discrete_guide_is_fitted_by_enumeration() -> None:
    def model() -> None:
        heads = pyro.sample("heads", dist.Bernoulli(0.5))
        pyro.sample("y", dist.Normal(heads, 1.0), obs=torch.tensor(2.0))

    guide = AutoGuideList(model)
    guide.append(AutoDiscreteParallel(poutine.block(model, expose=["heads"])))
    settings = adam(steps=500, optimizer_options={"lr": 0.05})
    result = fit(model, guide, settings=settings)
    draws = draw_posterior(result, model, num_draws=4000)
    exact = 1.0 / (1.0 + math.exp(-1.5))
    assert float(draws.sites["heads"].mean()) == pytest.approx(exact, abs=0.03)


def test_point_guide_and_hand_written_guides() -> None:
    point = fit(conjugate, AutoDelta(conjugate), (DATA,), settings=adam())
    assert point.parameter_values()["AutoDelta.mu"] == pytest.approx(1.7, abs=0.01)

    def pathwise(y: torch.Tensor) -> None:
        loc = pyro.param("loc", torch.tensor(0.0))
        pyro.sample("mu", dist.Normal(loc, 0.45))

    def score(y: torch.Tensor) -> None:
        loc = pyro.param("loc", torch.tensor(0.0))
        pyro.sample("mu", dist.testing.fakes.NonreparameterizedNormal(loc, 0.45))

    for guide in (pathwise, score):
        settings = adam(particles=4, steps=200, optimizer_options={"lr": 0.05})
        result = fit(conjugate, guide, (DATA,), settings=settings)
        assert result.parameter_values()["loc"] == pytest.approx(1.7, abs=0.25)


def test_errors_name_the_site() -> None:
    def uncovered() -> None:
        pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("b", dist.Normal(0.0, 1.0))

    def counts(y: torch.Tensor) -> None:
        rate = pyro.sample("rate", dist.LogNormal(0.0, 1.0))
        pyro.sample("count", dist.Poisson(rate), obs=y)

    def negative_scale() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(0.0, -1.0 - a**2), obs=torch.tensor(0.0))

    def impossible() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("never", dist.Normal(a, 1.0), obs=torch.tensor(math.inf))

    with pytest.raises(FitError, match="no site for the latent variable 'b'") as caught:
        fit(uncovered, AutoNormal(poutine.block(uncovered, hide=["b"])))
    assert caught.value.site == "b"
    with pytest.raises(
        FitError, match="value of Poisson must be a whole number, not negative, and is -1"
    ) as caught:
        fit(counts, AutoNormal(counts), (torch.tensor(-1.0),))
    assert caught.value.site == "count"
    with pytest.raises(FitError, match="scale") as caught:
        fit(negative_scale, AutoNormal(negative_scale))
    assert caught.value.site == "a"
    with pytest.raises(FitError, match="site 'never' of the model") as caught:
        fit(impossible, AutoNormal(impossible))
    assert caught.value.site == "never"
    with pytest.raises(FitError, match="'extra'"):
        fit(lambda: None, lambda: pyro.sample("extra", dist.Normal(0.0, 1.0)))


def test_curvature_tells_why_it_does_not_apply() -> None:
    def noisy(y: torch.Tensor) -> None:
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("data", 4, subsample_size=2) as index:
            pyro.sample("y", dist.Normal(mu, 1.0), obs=y[index])

    settings = FitSettings(method="curvature")
    with pytest.raises(FitError, match="'data' draws minibatches"):
        fit(noisy, AutoMultivariateNormal(noisy), (DATA,), settings=settings)
    with pytest.raises(FitError, match="not one joint normal"):
        fit(conjugate, AutoNormal(conjugate), (DATA,), settings=settings)


def test_a_models_own_parameters_are_fitted_too() -> None:
    def empirical(y: torch.Tensor) -> None:
        centre = pyro.param("centre", torch.tensor(0.0))
        mu = pyro.sample("mu", dist.Normal(centre, 1.0))
        with pyro.plate("data", len(y)):
            pyro.sample("y", dist.Normal(mu, 1.0), obs=y)

    settings = FitSettings(steps=300, particles=4, optimizer_options={"lr": 0.1})
    result = fit(empirical, AutoMultivariateNormal(empirical), (DATA,), settings=settings)
    assert result.method == "adam"
    assert result.parameter_values()["centre"] == pytest.approx(float(DATA.mean()), abs=0.2)


def test_failure_in_mid_training_names_site_and_step() -> None:
    calls = iter(range(10_000))

    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        y = torch.tensor(math.inf if next(calls) > 40 else 1.0)
        pyro.sample("late", dist.Normal(a, 1.0), obs=y)

    def narrow() -> None:  # the guide's draws miss it in most steps
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.factor("late", torch.where(a.abs() > 0.2, -math.inf, 0.0))

    late = r"not a finite number at step \d+.*'late'"
    with pytest.raises(FitError, match=late):  # what Python counts is seen by Python only
        fit(model, AutoNormal(model), settings=adam(engine="eager"))
    for engine in ("eager", "graph"):
        for particles in (1, 3):
            settings = adam(engine=engine, particles=particles)
            with pytest.raises(FitError, match=late) as caught:
                fit(narrow, AutoNormal(narrow, init_scale=1.0), settings=settings)
            assert caught.value.site == "late"

    def exploding() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.factor("f", a.abs().sqrt() * 0.0)

    guide = AutoDelta(exploding, init_loc_fn=lambda site: torch.tensor(0.0))
    with pytest.raises(FitError, match=r"parameter 'AutoDelta\.a' is not finite"):
        fit(exploding, guide, settings=adam())


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "Adagrad"},
        {"schedule": "linear"},
        {"method": "magic"},
        {"steps": 0},
        {"particles": 0},
        {"tolerance": 0.0},
    ],
)
def test_settings_refuse_what_they_do_not_know(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        FitSettings(**options)  # type: ignore[arg-type]


def test_unknown_optimizer_option_is_told() -> None:
    with pytest.raises(ValueError, match="Adam does not take the option 'learning_rate'"):
        adam(optimizer_options={"learning_rate": 0.1})


def test_laplace_on_minibatches_ends_as_a_normal_on_all_data() -> None:
    y = torch.linspace(-1.0, 3.0, 40)

    def batched() -> None:
        mu = pyro.sample("mu", dist.Normal(0.0, 10.0))
        with pyro.plate("data", 40, subsample_size=10) as index:
            pyro.sample("y", dist.Normal(mu, 1.0), obs=y[index])

    guide = AutoGuideList(batched)
    guide.append(AutoLaplaceApproximation(batched))
    result = fit(batched, guide, settings=FitSettings(steps=200))
    draws = draw_posterior(result, batched, num_draws=2000, seed=1).sites["mu"]
    assert result.method == "laplace"
    assert float(draws.mean()) == pytest.approx(1.0, abs=0.03)
    assert float(draws.std()) == pytest.approx(40**-0.5, rel=0.1)


@pytest.mark.parametrize("method", ["auto", "adam"])
def test_laplace_in_a_list_leaves_a_spread(method: str) -> None:
    guide = AutoGuideList(conjugate)
    guide.append(AutoLaplaceApproximation(conjugate))
    result = fit(conjugate, guide, (DATA,), settings=FitSettings(steps=400, method=method))
    draws = draw_posterior(result, conjugate, (DATA,), num_draws=2000).sites["mu"]
    assert float(draws.mean()) == pytest.approx(float(DATA.sum()) / 5, abs=0.05)
    assert float(draws.std()) == pytest.approx(math.sqrt(1 / 5), rel=0.1)


def test_a_guide_that_runs_the_model_does_not_score_its_observations() -> None:
    def model() -> None:
        x = pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(x, 1.0).expand([4]).to_event(1), obs=torch.full((4,), 2.0))

    guide = AutoNormalMessenger(model)
    result = fit(model, guide, settings=FitSettings(method="adam", steps=1500, seed=1))
    draws = draw_posterior(result, model, num_draws=500)
    assert draws.sites["x"].mean() == pytest.approx(1.6, abs=0.1)
    assert draws.log_weights.std() < 0.3
    assert {term.term for term in explain_loss(model, guide).terms if term.site == "y"} == {
        "log likelihood"
    }
