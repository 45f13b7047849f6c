"""Many fits at once: each has the numbers that it would have alone, whatever the others do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from torch import Tensor

from autoguide_core import (
    AutoIAFNormal,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
    AutoNormalMessenger,
    FitError,
    FitResult,
    FitSettings,
    Many,
    draw_posterior,
    fit,
    fit_many,
    init_to_uniform,
)
from autoguide_core.engine.many.starts import restarts_of
from autoguide_core.engine.stepping import choice
from autoguide_core.engine.stepping.graph import GraphRunner

Y = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], dtype=torch.float64)
SCALES = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0], dtype=torch.float64)
GROUPS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
SETTINGS = FitSettings(steps=100, method="adam", engine="graph", seed=3)


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def schools(y: Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", 8):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, SCALES), obs=y)


def grouped(data: dict[str, Tensor], *, groups: Tensor) -> None:
    count = int(groups.max().item()) + 1  # a number that is read off what all have in common
    with pyro.plate("groups", count):
        level = pyro.sample("level", dist.Normal(0.0, 1.0))
    with pyro.plate("data", len(groups)):
        scale = data["scale"].exp().clamp(max=5.0)  # the same at each step
        pyro.sample("y", dist.StudentT(4.0, level[groups], scale), obs=data["y"])


def minibatched(y: Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    with pyro.plate("schools", 8, subsample_size=3) as index:
        pyro.sample("y", dist.Normal(mu, SCALES[index]), obs=y[index])


def walled(limit: Tensor) -> None:
    """Pushes ``x`` up to where its density is not a number."""
    x = pyro.sample("x", dist.Normal(0.0, 100.0))
    pyro.factor("push", 5.0 * x + torch.where(x > limit, torch.nan, 0.0))


def clustered(y: Tensor) -> None:
    loc = pyro.sample("loc", dist.Normal(torch.zeros(2), 20.0).to_event(1))
    weights = pyro.sample("weights", dist.Dirichlet(torch.ones(2)))
    with pyro.plate("data", 8):
        k = pyro.sample("k", dist.Categorical(weights), infer={"enumerate": "parallel"})
        pyro.sample("y", dist.Normal(loc[k], 5.0), obs=y)


PAIRS: dict[str, tuple[Callable[[Tensor], None], Callable[..., Any], int]] = {
    "normal": (schools, AutoNormal, 1),
    "minibatches, two particles": (minibatched, AutoNormal, 2),
    "strided writes": (schools, AutoLowRankMultivariateNormal, 1),
    "enumerated": (clustered, lambda m, **o: AutoNormal(poutine.block(m, hide=["k"]), **o), 1),
}


def assert_same(found: FitResult, expected: FitResult) -> None:
    np.testing.assert_allclose(found.elbo, expected.elbo, rtol=1e-9, atol=1e-9)
    values = expected.parameter_values()
    assert found.parameter_values().keys() == values.keys()
    for name, value in found.parameter_values().items():
        np.testing.assert_allclose(value, values[name], rtol=1e-9, atol=1e-9)
    assert (found.verdict, found.converged) == (expected.verdict, expected.converged)
    assert (found.settings, found.steps) == (expected.settings, expected.steps)


@pytest.mark.parametrize("pair", PAIRS)
def test_each_restart_is_the_fit_with_its_seed(pair: str) -> None:
    model, make_guide, particles = PAIRS[pair]
    settings = replace(SETTINGS, particles=particles)
    guide = make_guide(model, init_loc_fn=init_to_uniform)
    many = fit_many(model, guide, (Y,), restarts=3, settings=settings)
    assert many.notes == ()
    assert guide.prototype_trace is None  # the guide that was given is as it was
    for restart, found in enumerate(many.results):
        alone = make_guide(model, init_loc_fn=init_to_uniform)
        own = replace(settings, seed=settings.seed + restart)
        assert_same(found, fit(model, alone, (Y,), settings=own))


def test_restarts_begin_near_a_start_that_is_always_the_same() -> None:
    guide = AutoNormal(schools, init_scale=0.3)
    members = restarts_of(schools, guide, (Y,), {}, count=4, seed=0, jitter=0.5)
    starts = [member.parameters() for member in members]
    for start in starts[1:]:
        for name, value in start.items():
            moved = (value - starts[0][name]).abs().detach()
            is_scale = ".scales." in name
            assert bool((moved == 0.0).all() if is_scale else (moved > 0.0).all()), name
            assert float(moved.max()) <= 0.5
    assert not torch.equal(starts[1]["AutoNormal.locs.mu"], starts[2]["AutoNormal.locs.mu"])


def test_a_fitted_guide_goes_on_in_the_first_restart_only() -> None:
    guide = AutoNormal(schools)
    fit(schools, guide, (Y,), settings=replace(SETTINGS, optimizer_options={"lr": 0.3}))
    before = {name: value.detach().clone() for name, value in guide.named_parameters()}
    many = fit_many(schools, guide, (Y,), restarts=3, settings=SETTINGS)
    assert all(torch.equal(value, before[name]) for name, value in guide.named_parameters())
    assert_same(many.results[0], fit(schools, guide, (Y,), settings=SETTINGS))
    assert many.results[1].elbo[0] < many.results[0].elbo[0] - 1.0


def test_data_sets_get_the_fits_that_they_would_get_alone() -> None:
    data = [
        (({"y": Y + 3.0 * k, "scale": SCALES.log() - 0.2 * k},), {"groups": GROUPS.clone()})
        for k in range(10)
    ]
    many = fit_many(grouped, AutoNormal(grouped), data=data, settings=SETTINGS)
    assert many.notes == ()
    for (args, kwargs), found in zip(data, many.results, strict=True):
        assert_same(found, fit(grouped, AutoNormal(grouped), args, kwargs, settings=SETTINGS))
    assert many.summary()["data set"] == list(range(10))
    with pytest.raises(ValueError, match="several data sets"):
        _ = many.best


def two_hills() -> None:
    """The higher hill is far from where the guide starts."""
    x = pyro.sample("x", dist.Normal(0.0, 10.0))
    hills = dist.MixtureSameFamily(
        dist.Categorical(torch.tensor([0.05, 0.95])), dist.Normal(torch.tensor([0.0, 12.0]), 0.5)
    )
    pyro.factor("hills", hills.log_prob(x) - dist.Normal(0.0, 10.0).log_prob(x))


def test_the_best_restart_finds_the_higher_mode() -> None:
    guide = AutoNormal(two_hills, init_loc_fn=init_to_uniform(radius=10.0))
    settings = FitSettings(steps=400, method="adam", optimizer_options={"lr": 0.1})
    alone = fit(two_hills, AutoNormal(two_hills), settings=settings)
    many = fit_many(two_hills, guide, restarts=20, settings=settings)
    assert alone.parameter_values()["AutoNormal.locs.x"] == pytest.approx(0.0, abs=0.3)
    assert many.best.parameter_values()["AutoNormal.locs.x"] == pytest.approx(12.0, abs=0.3)
    table = many.summary()
    best = int(np.argmax(table["final ELBO"]))
    assert many.results[best] is many.best
    near = sum(value > table["final ELBO"][best] - 1.0 for value in table["final ELBO"])
    assert 1 < near < 20
    assert many.verdict.startswith(f"{near} of 20 restarts came to within 1 nat of the best, ")
    draws = draw_posterior(many.best, two_hills, (), {}, num_draws=50, seed=1)
    assert float(draws.sites["x"].mean()) == pytest.approx(12.0, abs=0.5)


@pytest.mark.parametrize("engine", ["graph", "native"])
def test_a_fit_that_fails_on_its_way_is_on_its_own(engine: str) -> None:
    limits = [torch.tensor(limit) for limit in (1e6, 2.0, 1e6)]
    settings = replace(SETTINGS, engine=engine, steps=200, optimizer_options={"lr": 0.1})
    data = [((limit,), {}) for limit in limits]
    many = fit_many(walled, AutoNormal(walled), data=data, settings=settings)
    with pytest.raises(FitError) as caught:
        fit(walled, AutoNormal(walled), (limits[1],), settings=replace(settings, engine="graph"))
    assert many.failures.keys() == {1}
    assert many.results[1].verdict == f"failed: {caught.value}"
    assert f"step {many.results[1].steps + 1}:" in many.results[1].verdict
    assert not many.results[1].converged
    assert all(np.isfinite(value) for value in many.results[1].parameter_values().values())
    assert np.isnan(many.summary()["final ELBO"][1])
    assert {result.engine for result in many.results} == {engine}
    for place in (0, 2):
        expected = fit(walled, AutoNormal(walled), (limits[place],), settings=settings)
        assert_same(many.results[place], expected)


def test_a_fit_that_cannot_start_is_on_its_own_unless_all_are_so() -> None:
    data = [((torch.tensor(limit),), {}) for limit in (-5.0, 1e6)]
    many = fit_many(walled, AutoNormal(walled), data=data, settings=SETTINGS)
    assert many.failures.keys() == {0}
    assert many.results[0].verdict.startswith("failed: no starting point was found in ")
    assert many.results[0].steps == 0
    with pytest.raises(FitError, match="no starting point was found in"):
        fit_many(walled, AutoNormal(walled), data=[data[0], data[0]], settings=SETTINGS)
    with pytest.raises(FitError, match="all 2 fits failed; the first: the ELBO is not a fin"):
        fit_many(
            walled,
            AutoNormal(walled),
            (torch.tensor(1.0),),
            restarts=2,
            settings=replace(SETTINGS, optimizer_options={"lr": 0.3}),
        )


class _Late:
    """A pending runner that is ready when it is asked for the third time."""

    note = ""

    def __init__(self, runner: Any) -> None:
        self._runner, self._asked = runner, 0

    def ready(self) -> bool:
        self._asked += 1
        return self._asked == 3

    def runner(self) -> Any:
        return self._runner

    def cancel(self) -> None:
        pass


def test_a_faster_runner_takes_over_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(step_graph: Any, *arguments: Any) -> _Late:
        runner = GraphRunner(step_graph)
        runner.name = "native"
        return _Late(runner)

    settings = replace(SETTINGS, steps=500)
    whole = fit_many(schools, AutoNormal(schools), (Y,), restarts=2, settings=settings)
    monkeypatch.setattr(choice, "start_native", start)
    settings = replace(settings, engine="auto")
    late = fit_many(schools, AutoNormal(schools), (Y,), restarts=2, settings=settings)
    for one, other in zip(late.results, whole.results, strict=True):
        assert one.engine.startswith("graph, then native from step ")
        np.testing.assert_allclose(one.elbo, other.elbo, rtol=1e-12)


def branching(y: Tensor) -> None:
    loc = pyro.sample("loc", dist.Normal(0.0, 5.0))
    scale = 1.0 if y.mean() > 5.0 else 3.0
    with pyro.plate("data", 8):
        pyro.sample("y", dist.Normal(loc, scale), obs=y)


def pooled(y: Tensor) -> None:
    loc = pyro.sample("loc", dist.Normal(0.0, 5.0))
    with pyro.plate("data", 8):
        pyro.sample("y", dist.Normal(loc, SCALES), obs=y)


def in_turn(many: Many) -> str:
    (note,) = many.notes
    return note.removeprefix("fitted one after the other: ")


def test_fits_that_cannot_be_made_at_once_are_made_in_turn() -> None:
    data = [((Y,), {}), ((Y - 20.0,), {})]
    many = fit_many(branching, AutoNormal(branching), data=data, settings=SETTINGS)
    assert in_turn(many) == "the model branches on values"
    for (args, _), found in zip(data, many.results, strict=True):
        assert_same(found, fit(branching, AutoNormal(branching), args, settings=SETTINGS))
    joint = AutoMultivariateNormal(pooled)
    settings = FitSettings(steps=200, engine="graph")
    curved = fit_many(pooled, joint, (Y,), restarts=2, settings=settings)
    assert in_turn(curved) == "the guide is one joint normal, which is fitted by its curvature"
    assert [result.method for result in curved.results] == ["curvature", "curvature"]
    phases: set[str] = set()
    eager = fit_many(
        schools,
        AutoNormal(schools),
        (Y,),
        restarts=2,
        settings=replace(SETTINGS, engine="eager", steps=20),
        progress=lambda made: phases.add(made.phase),
    )
    assert in_turn(eager) == "engine 'eager' makes them so"
    assert phases == {"fit 1 of 2: variational", "fit 2 of 2: variational"}


@pytest.mark.parametrize("way", ["clock", "counter"])
def test_fits_of_a_model_that_changes_are_made_in_turn(way: str) -> None:
    counter = itertools.count()
    now = counter.__next__ if way == "clock" else lambda: next(counter)

    def model(y: Tensor) -> None:
        schools(y)
        pyro.factor("small", torch.tensor(1e-10 * now()))

    settings = replace(SETTINGS, engine="auto", steps=20)
    many = fit_many(model, AutoNormal(model), (Y,), restarts=2, settings=settings)
    seen = "changes from run to run" if way == "clock" else "keeps 'now.counter', which changes"
    assert any("fitted one after the other: the model" in n and seen in n for n in many.notes)


def test_guides_that_hold_what_is_one_fit_s_own_are_fitted_in_turn() -> None:
    many = fit_many(
        schools, AutoIAFNormal(schools, hidden_dim=[12]), (Y,), restarts=2, settings=SETTINGS
    )
    assert in_turn(many) == "the model or the guide makes other steps for each of them"


def test_a_guide_with_a_fixed_start_is_told_of() -> None:
    def guide(y: Tensor) -> None:
        loc = pyro.param("loc", torch.zeros(8))
        pyro.sample("mu", dist.Normal(loc[0], 1.0))
        pyro.sample("tau", dist.LogNormal(loc[1], 1.0))
        with pyro.plate("schools", 8):
            pyro.sample("theta", dist.Normal(loc, 1.0))

    many = fit_many(schools, guide, (Y,), restarts=2, settings=SETTINGS)
    assert "all restarts begin at one point" in many.notes[0]
    first, second = (result.parameter_values()["loc"] for result in many.results)
    assert not np.allclose(first, second)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"restarts": 0}, "restarts must be at least 1, not 0"),
        ({"jitter": -1.0}, "jitter must be a number of at least 0"),
        ({"data": []}, "no data set"),
        ({"data": [((Y,), {})], "args": (Y,)}, "not both"),
        ({"data": [Y[:1]]}, r"data\[0\] is no pair"),
        (
            {"data": [((Y,), {}), ((Y[:5],), {})]},
            r"data\[1\]: args\[0\] has shape \[5\], and \[8\] in data\[0\]",
        ),
        ({"data": [((Y,), {}), ((Y.float(),), {})]}, "has dtype float32, and float64 in"),
        ({"data": [((), {"y": Y}), ((), {"z": Y})]}, r"kwargs\['.'\] is .* there|only"),
        ({"data": [((Y, 1), {}), ((Y, 2), {})]}, r"args\[1\] is not what it is in data\[0\]"),
        ({"data": [((Y, 1), {}), ((Y, Y), {})]}, "is of type Tensor, and int in"),
        ({"data": [((Y, np.ones(2)), {}), ((Y, np.ones(2)), {})]}, "turn numbers and arrays"),
    ],
)
def test_mistakes_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FitError, match=message):
        fit_many(schools, AutoNormal(schools), settings=SETTINGS, **options)


def test_a_messenger_that_was_run_cannot_start_anew() -> None:
    guide = AutoNormalMessenger(schools)
    fit(schools, guide, (Y,), settings=replace(SETTINGS, steps=5))
    with pytest.raises(FitError, match="give restarts a new one"):
        fit_many(schools, guide, (Y,), restarts=2, settings=SETTINGS)


def test_a_parameter_that_all_fits_would_change_is_refused() -> None:
    net = torch.nn.Linear(1, 1)

    def model() -> None:
        slope = pyro.module("net", net)(torch.ones(1))
        pyro.sample("x", dist.Normal(slope, 1.0).to_event(1))

    with pytest.raises(FitError, match="module outside of the guide") as caught:
        fit_many(model, AutoNormal(model), restarts=2, settings=SETTINGS)
    assert caught.value.site == "net$$$weight"


def test_an_engine_that_cannot_be_had_is_told_at_once() -> None:
    def guide(y: Tensor) -> None:
        rate = pyro.param("rate", torch.tensor(1.0), constraint=dist.constraints.positive)
        pyro.sample("mu", dist.Normal(0.0, 1.0))
        pyro.sample("tau", dist.Gamma(2.0, rate))
        with pyro.plate("schools", 8):
            pyro.sample("theta", dist.Normal(0.0, 1.0))

    settings = replace(SETTINGS, engine="native", steps=20)
    with pytest.raises(FitError, match="engine 'native' cannot be used"):
        fit_many(schools, guide, (Y,), restarts=2, settings=settings)
