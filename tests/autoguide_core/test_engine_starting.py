"""Where fits start: at the guide's own start, or where the model has a density."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from guide_families import FAMILIES, Family
from torch import Tensor

from autoguide_core import (
    AutoGuideList,
    AutoMultivariateNormal,
    AutoNormal,
    FitError,
    FitSettings,
    draw_corrected,
    fit,
    init_to_median,
    init_to_uniform,
    init_to_value,
)
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.errors import NoStart
from autoguide_core.engine.isolation import own_randomness, own_store
from autoguide_core.engine.starting import set_up

SIZES = torch.tensor(
    [3.0, 5, 10, 15, 20, 100, 200, 300, 500, 1000, 1200, 1300, 1500, 2000, 3000],
)
HITS = torch.tensor([2.0, 5, 9, 14, 18, 90, 145, 174, 338, 749, 1027, 1143, 1393, 1453, 2721])


def by_mean_and_sd() -> None:
    """Shares whose sd may be greater than any Beta has: at most draws of the prior, that is."""
    mu = pyro.sample("mu", dist.Beta(1.0, 1.0))
    sd = pyro.sample("sd", dist.HalfCauchy(1.0))
    kappa = mu * (1.0 - mu) / sd**2 - 1.0
    with pyro.plate("group", len(SIZES)):
        share = pyro.sample("share", dist.Beta(mu * kappa, (1.0 - mu) * kappa))
        pyro.sample("hits", dist.Binomial(SIZES, share), obs=HITS)


def half_line() -> None:
    """No density at the start of most strategies, which is 0, nor on one side of it."""
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    with pyro.plate("pair", 2):
        z = pyro.sample("z", dist.Normal(torch.zeros(()), 1.0))
    pyro.sample("y", dist.Normal(z.sum(), x), obs=torch.tensor(0.5))


def growth() -> None:
    """Fish that grow by powers of their farm's own: no slope at 0, no density below most powers."""
    mean = pyro.sample("mean", dist.Normal(0.33, 0.1))
    spread = pyro.sample("spread", dist.HalfCauchy(0.1))
    rate_mean = pyro.sample("rate_mean", dist.Normal(0.2, 0.1))
    rate_spread = pyro.sample("rate_spread", dist.HalfCauchy(0.1))
    noise = pyro.sample("noise", dist.HalfCauchy(1.0))
    with pyro.plate("farm", 4):
        power = pyro.sample("power", dist.Normal(mean, spread))
        rate = pyro.sample("rate", dist.Normal(rate_mean, rate_spread))
    with pyro.plate("fish", len(FARM)):
        grown = BEFORE ** power[FARM] + rate[FARM] * DAYS
        weight = grown ** (1.0 / power[FARM])
        pyro.sample("after", dist.LogNormal(weight.log(), noise), obs=AFTER)


FARM = torch.arange(48) % 4
BEFORE = torch.linspace(20.0, 90.0, 48)
DAYS = 2.0 + torch.arange(48.0) * 7 % 9
AFTER = (BEFORE**0.35 + (0.2 + 0.02 * FARM) * DAYS) ** (1 / 0.35) * torch.cos(
    torch.arange(48.0)
).mul(0.1).exp()


def nowhere() -> None:
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Beta(1.0, 1.0))
    pyro.sample("y", dist.Normal(b, -1.0 - a * a), obs=torch.tensor(0.0))


_STARTS_ANYWHERE = {"iaf", "normal-messenger", "hierarchical-messenger", "regressive-messenger"}
"""Families that keep their parameters once they are made, or pay no heed to a strategy."""


def quick(**options: Any) -> FitSettings:
    return FitSettings(**{"steps": 20, "engine": "graph", **options})


def no_start(model: Any, guide: Any, **options: Any) -> NoStart:
    with pytest.raises(NoStart) as caught:
        fit(model, guide, settings=quick(**options))
    return caught.value


def test_a_start_is_found_where_the_prior_mostly_has_none() -> None:
    for seed in range(5):
        guide = AutoMultivariateNormal(by_mean_and_sd, init_loc_fn=init_to_median)
        with own_store({}), own_randomness(seed):
            set_up(by_mean_and_sd, guide, (), {})
            density = LogDensity(by_mean_and_sd)
            point = density.finite_point(guide.loc.detach().double(), seed)
        assert math.isfinite(float(density(point)))


def test_the_posterior_is_right_then() -> None:
    guide = AutoMultivariateNormal(by_mean_and_sd, init_loc_fn=init_to_median)
    fitted = fit(by_mean_and_sd, guide, settings=quick(steps=300, seed=3))
    found = draw_corrected(fitted, by_mean_and_sd, num_draws=1000)
    assert found.level == "good"
    for name, mean, sd in (("mu", 0.800, 0.034), ("sd", 0.115, 0.028)):
        draws = found.sites[name]
        assert float(draws.mean()) == pytest.approx(mean, abs=0.2 * sd)
        assert float(draws.std()) == pytest.approx(sd, rel=0.1)


@pytest.mark.parametrize("seed", range(2))
def test_a_point_to_record_the_density_at_has_a_finite_slope(seed: int) -> None:
    density = LogDensity(growth)
    point = density.finite_point(torch.zeros(density.dim, dtype=torch.float64), seed)
    values, slopes = Gradients(density, point).value_and_grad(point[None])
    assert bool(values.isfinite().all())
    assert bool(slopes.isfinite().all())


def test_draws_without_a_density_are_left_out_of_steps_and_of_the_posterior() -> None:
    def cut() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.factor("late", torch.where(a > 2.0, -math.inf, 0.0))

    means = []
    for engine in ("eager", "graph", "native"):
        guide = AutoNormal(cut, init_scale=1.0)
        settings = quick(steps=300, method="adam", engine=engine, particles=2)
        fitted = fit(cut, guide, settings=settings)
        assert not any("does not broadcast" in note for note in fitted.notes)
        assert any("of 300 steps drew where the model has no density" in n for n in fitted.notes)
        assert bool(torch.isfinite(torch.from_numpy(fitted.elbo)).all())
        drawn = draw_corrected(fitted, cut, num_draws=500, correction="none")
        assert float(drawn.sites["a"].max()) <= 2.0
        means.append(float(drawn.sites["a"].mean()))
    assert means == pytest.approx([means[0]] * 3, abs=1e-6)


def _probability(a: Tensor) -> None:
    pyro.sample("y", dist.Bernoulli(probs=a), obs=torch.tensor(1.0))


def _factor(a: Tensor) -> None:
    covariance = torch.stack([torch.ones(()), a, a, torch.ones(())]).reshape(2, 2)
    normal = dist.MultivariateNormal(torch.zeros(2), covariance_matrix=covariance)
    pyro.sample("y", normal, obs=torch.zeros(2))


def _assertion(a: Tensor) -> None:
    assert 0.0 < a < 1.0


def _baseline(a: Tensor) -> None:
    pyro.sample("k", dist.Bernoulli(0.5))
    _probability(a)


@pytest.mark.parametrize("end", [_probability, _factor, _assertion, _baseline])
def test_a_fit_is_prepared_where_the_model_has_a_density(end: Callable[[Tensor], None]) -> None:
    """A fifth of the draws have none, and preparing takes some."""

    def model() -> None:
        end(pyro.sample("a", dist.Normal(0.5, 1.0)))

    def guide() -> None:
        pyro.sample("a", dist.Normal(pyro.param("m", torch.tensor(0.5)), 0.4))
        if end is _baseline:
            pyro.sample("k", dist.Bernoulli(pyro.param("p", torch.tensor(0.4))))

    for seed in range(8):
        settings = FitSettings(steps=40, method="adam", seed=seed)
        found = fit(model, guide, settings=settings)
        assert math.isfinite(found.elbo.sum())
        assert all(math.isfinite(value) for value in found.parameter_values().values())
    if end in (_probability, _factor):
        settings = FitSettings(steps=40, method="adam", engine="graph", seed=seed)
        assert fit(model, guide, settings=settings).engine == "graph"


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_every_family_can_be_set_up_again(family: Family) -> None:
    guide = family.make(half_line)
    with own_store({}), own_randomness(1):
        set_up(half_line, guide, (), {})
        if family.name not in _STARTS_ANYWHERE:
            assert float(guide()["x"].detach()) > 0.0
        names = {name for name, _ in pyro.get_param_store().named_parameters()}
    assert len(names) == len(set(names)) > 0


def test_a_users_own_value_is_kept() -> None:
    start = init_to_value(values={"x": torch.tensor(0.7)}, fallback=init_to_uniform)
    with own_store({}), own_randomness(0):
        guide = AutoNormal(half_line, init_loc_fn=start, init_scale=0.01)
        set_up(half_line, guide, (), {})
        assert float(guide.median()["x"]) == pytest.approx(0.7)
    start = init_to_value(values={"x": torch.tensor(-0.7)}, fallback=init_to_uniform)
    guide = AutoNormal(half_line, init_loc_fn=start, init_scale=0.01)
    error = no_start(half_line, guide)
    assert (error.kept, error.count, error.tries) == (("x",), 100, 100)
    assert "init values were kept for: 'x'" in str(error)


def test_a_model_without_any_start_is_told_in_its_own_terms() -> None:
    for guide in (AutoNormal(nowhere), AutoMultivariateNormal(nowhere)):
        error = no_start(nowhere, guide)
        assert str(error) == (
            "no starting point was found in 100 tries; in 100 of them: scale of Normal must be "
            f"greater than 0, and is {str(error).split('and is ')[1].split()[0]} "
            "(just after site 'b'); latents without bounds: 'a'"
        )
        assert isinstance(error.__cause__, ValueError)


def test_what_depends_on_no_latent_is_not_tried_a_hundred_times() -> None:
    calls = []

    def model() -> None:
        calls.append(1)
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Poisson(a.exp()), obs=torch.tensor(-2.0))

    error = no_start(model, AutoNormal(model))
    assert str(error).startswith("the fit cannot start: site 'y' of the model: a value of Poisson")
    assert len(calls) < 20


def test_mistakes_are_no_refusals() -> None:
    def model() -> None:
        a = pyro.sample("a", dist.Normal(torch.zeros(3), 1.0).to_event(1))
        pyro.factor("f", (a @ torch.ones(2)).sum())

    with pytest.raises(RuntimeError, match="size") as caught:
        fit(model, AutoNormal(model), settings=quick())
    assert not isinstance(caught.value, FitError)


def test_parts_that_draw_each_other_from_their_priors() -> None:
    from pyro import poutine

    guide = AutoGuideList(by_mean_and_sd)
    guide.append(AutoNormal(poutine.block(by_mean_and_sd, expose=["share"])))
    guide.append(AutoNormal(poutine.block(by_mean_and_sd, hide=["share"])))
    fitted = fit(by_mean_and_sd, guide, settings=quick(steps=30, seed=2))
    assert fitted.method == "adam"


# --- Trial points ---


def test_one_bad_point_leaves_the_others_of_a_batch_alone() -> None:
    eye, ones = torch.eye(50).double(), torch.ones(50, 50).double()

    def factored() -> None:  # a factor of LAPACK's, which raises an error
        r = pyro.sample("r", dist.Normal(0.0, 1.0))
        y = torch.zeros(50).double()
        pyro.sample("y", dist.MultivariateNormal(y, 0.5 * eye + r * ones), obs=y)

    def branching() -> None:  # point by point
        r = pyro.sample("r", dist.Normal(0.0, 1.0))
        assert float(r.detach()) > -1.0, "too small"
        pyro.factor("f", -r * r)

    points = torch.tensor([[0.3], [-2.0], [0.7]], dtype=torch.float64)
    for model in (factored, branching):
        density = LogDensity(model)
        gradients = Gradients(density, density.finite_point(points[1], 0))
        values, _ = gradients.value_and_grad(points)
        expected = [float(density(points[0])), float(density(points[2]))]
        assert values[[0, 2]].tolist() == pytest.approx(expected)
        assert not math.isfinite(float(values[1]))
        assert gradients.hessian(points[0]).shape == (1, 1)


def test_failed_assertions_are_infinite_energies() -> None:
    def branching() -> None:
        r = pyro.sample("r", dist.Normal(0.0, 1.0))
        assert -1.3 < float(r.detach()) < 2.0
        pyro.factor("f", -r * r)

    fitted = fit(
        branching, AutoMultivariateNormal(branching), settings=quick(engine="auto", steps=5)
    )
    assert fitted.method == "curvature"
    found = draw_corrected(fitted, branching, num_draws=500, correction="weights")
    assert -1.3 < float(found.sites["r"].min()) < float(found.sites["r"].max()) < 2.0


@pytest.mark.parametrize("engine", ["eager", "graph", "native"])
def test_a_guide_that_diverges_ends_alike_whoever_makes_the_steps(engine: str) -> None:
    y: Tensor = torch.linspace(-2.0, 2.0, 200)

    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        s = pyro.sample("s", dist.HalfNormal(1.0))
        with pyro.plate("data", 200):
            pyro.sample("y", dist.Normal(a, s), obs=y)

    from autoguide_core import AutoLowRankMultivariateNormal

    guide = AutoLowRankMultivariateNormal(model)
    settings = quick(
        steps=300, method="adam", optimizer="SGD", engine=engine, optimizer_options={"lr": 0.5}
    )
    with pytest.raises(FitError, match=r"not a finite number at step \d+"):
        fit(model, guide, settings=settings)
