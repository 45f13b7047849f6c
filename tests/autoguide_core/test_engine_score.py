"""Score functions: right on average, exactly, and with less variance for their baselines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from estimator_pairs import (
    Model,
    Result,
    SwitchesGuide,
    assert_close,
    assert_traceable,
    estimated,
    estimator_of,
    leaves,
    pyros,
    seeded,
    switches,
)
from pyro.infer import TraceGraph_ELBO
from pyro.poutine.messenger import Messenger
from torch import Tensor

from autoguide_core import FitError
from autoguide_core.engine.estimators import Estimator
from autoguide_core.engine.estimators.downstream import Dependences
from autoguide_core.engine.estimators.particles import Particles
from autoguide_core.engine.estimators.score import ScoreFunction


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Given(Messenger):
    """Puts given values in the place of draws, which stay latent."""

    def __init__(self, **values: Tensor) -> None:
        super().__init__()
        self.values = values

    def _pyro_sample(self, msg: Any) -> None:
        if msg["name"] in self.values and not msg["done"]:
            msg["value"], msg["done"] = self.values[msg["name"]], True


class InTurn(Messenger):
    """Like `Given`, with a value for each run of the guide."""

    def __init__(self, **values: Tensor) -> None:
        super().__init__()
        self.values, self.run = values, -1

    def _pyro_sample(self, msg: Any) -> None:
        if msg["done"] or msg["is_observed"]:
            return
        self.run += msg["name"] == "a" and not isinstance(msg["value"], Tensor)
        if msg["value"] is None:
            msg["value"], msg["done"] = self.values[msg["name"]][self.run], True


def seeded_start(estimator: Estimator) -> dict[str, Tensor]:
    torch.manual_seed(7)
    return estimator.start()


def moments(estimator: Estimator, particles: int) -> tuple[Result, float]:
    """Mean bound and gradient, and the gradient's variance: exact, by a sum over all draws."""
    logits = pyro.param("logits").detach()
    carry = seeded_start(estimator)
    mean, square = [torch.zeros(()), torch.zeros(3)], 0.0
    for bits in itertools.product([0.0, 1.0], repeat=3 * particles):
        a, b = torch.tensor(bits).reshape(particles, 3).split([1, 2], dim=-1)
        log_a = dist.Bernoulli(logits=logits[0]).log_prob(a).sum()
        log_b = dist.Bernoulli(logits=logits[1] + logits[2] * a).log_prob(b).sum()
        probability = (log_a + log_b).exp()
        values = {"a": a, "b": b} if particles > 1 else {"a": a[0, 0], "b": b[0]}
        with Given(**values):
            found = seeded(lambda: estimated(estimator, carry))
        mean = [m + probability * part for m, part in zip(mean, found, strict=False)]
        square += float(probability * (found[1] ** 2).sum())
    return tuple(mean), square - float((mean[1] ** 2).sum())


OPTIONS: dict[str, dict[str, Any]] = {
    "own": {},
    "none": {"baseline": {"baseline_value": torch.tensor(0.0)}},
    "decaying": {"baseline": {"use_decaying_avg_baseline": True, "baseline_beta": 0.8}},
}


@pytest.mark.parametrize("particles", [1, 2])
def test_score_functions_are_unbiased_and_baselines_take_variance_away(particles: int) -> None:
    variances = {}
    summed, _ = estimator_of(switches, SwitchesGuide(enumerate="parallel"), particles)
    exact = seeded(lambda: estimated(summed, {}))
    for name in ("own", "none", "decaying"):
        estimator, notes = estimator_of(switches, SwitchesGuide(**OPTIONS[name]), particles)
        mean, variances[name] = moments(estimator, particles)
        assert not notes
        assert_close(mean, exact)
    assert variances["own"] < 0.5 * variances["none"]
    assert variances["decaying"] < 0.5 * variances["none"]


class Network(torch.nn.Module):
    """A baseline with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x


def networked_guide(network: Network) -> Model:
    def guide() -> None:
        logits = pyro.param("logits", lambda: torch.tensor([-0.3, 0.6, 1.1]))
        learned = {"nn_baseline": pyro.module("net", network), "nn_baseline_input": logits[0]}
        a = pyro.sample("a", dist.Bernoulli(logits=logits[0]), infer={"baseline": learned})
        pyro.sample("mu", dist.Normal(logits[1], 0.3))
        constant = {"baseline_value": torch.tensor([-3.0, -4.0])}
        with pyro.plate("data", 2):
            b = dist.Bernoulli(logits=logits[1] + logits[2] * a)
            pyro.sample("b", b, infer={"baseline": constant})

    return guide


@pytest.mark.parametrize("kind", ["decaying", "networked"])
def test_options_of_baselines_are_those_of_pyro(kind: str) -> None:
    guide = networked_guide(Network()) if kind == "networked" else SwitchesGuide(**OPTIONS[kind])
    estimator, _ = estimator_of(switches, guide)
    carry = {name: torch.zeros_like(value) for name, value in estimator.start().items()}
    assert list(carry) == ([] if kind == "networked" else ["a", "b"])
    expected = seeded(lambda: pyros(TraceGraph_ELBO(max_plate_nesting=1), switches, guide))
    store = pyro.get_param_store()
    averages = [store[f"__baseline_avg_downstream_cost_{name}"].detach() for name in carry]
    assert_close(seeded(lambda: estimated(estimator, carry)), (*expected, *averages))


@pytest.mark.parametrize("way", ["writing", "branching", "neither"])
def test_a_draw_that_leaves_its_tensor_is_still_accounted_for(way: str) -> None:
    """Pyro loses sight of such a draw, and so its gradient, without a word."""

    def model() -> None:
        a = pyro.sample("a", dist.Bernoulli(0.4))
        loc = torch.zeros(1)
        if way == "writing":
            loc[0] = a
        elif way == "branching" and a > 0:
            loc = torch.ones(1)
        pyro.sample("y", dist.Normal(loc[0], 1.0), obs=torch.tensor(0.7))

    def guide() -> None:
        pyro.sample("a", dist.Bernoulli(pyro.param("p", lambda: torch.tensor(0.6))))

    particles = Particles(model, guide, (), {}, depth=0)
    found = Dependences(particles, ["a"]).of("a", next(particles.pairs()))
    assert found.model == (["a"] if way == "neither" else ["a", "y"])
    assert found.guide == ["a"]


def in_a_branch() -> None:
    """The second coin is thrown where the first one says so."""
    if pyro.sample("a", dist.Bernoulli(0.5)) > 0:
        pyro.factor("f", 2.0 * pyro.sample("b", dist.Bernoulli(0.5)))


def in_a_branch_guide() -> None:
    logits = pyro.param("logits", lambda: torch.tensor([-0.3, 0.6]))
    if pyro.sample("a", dist.Bernoulli(logits=logits[0])) > 0:
        pyro.sample("b", dist.Bernoulli(logits=logits[1]))


@pytest.mark.parametrize("first", [0.0, 1.0])
@pytest.mark.parametrize("particles", [1, 2])
def test_sites_that_a_later_run_meets_reach_the_gradient(particles: int, first: float) -> None:
    runs = Particles(in_a_branch, in_a_branch_guide, (), {}, depth=0)
    with Given(a=torch.tensor(first), b=torch.tensor(0.0)):
        dependences = Dependences(runs, ["a", "b"] if first else ["a"])
        estimator = ScoreFunction(replace(runs, count=particles), dependences)
        carry = estimator.start()
    p, q = pyro.param("logits").sigmoid()
    bound = torch.log(torch.tensor(0.5)) + dist.Bernoulli(p).entropy()
    inner = 2.0 * q + torch.log(torch.tensor(0.5)) + dist.Bernoulli(q).entropy()
    exact = bound + p * inner
    (gradient,) = torch.autograd.grad(exact, leaves())

    mean = [torch.zeros(()), torch.zeros(2)]
    for coins in itertools.product([0.0, 1.0], repeat=2 * particles):
        a, b = torch.tensor(coins).reshape(2, particles)
        with InTurn(a=a, b=b):
            found = estimated(estimator, carry)
        weight = torch.where(a > 0, p, 1 - p) * torch.where(b > 0, q, 1 - q)
        mean = [m + weight.prod() * f for m, f in zip(mean, found, strict=False)]
    assert_close(tuple(mean), (exact, gradient))


def test_draws_without_a_gradient_that_a_later_run_meets_have_a_score() -> None:
    def model() -> None:
        if pyro.sample("z", dist.Normal(0.0, 1.0)) > 0:
            pyro.factor("f", 2.0 * pyro.sample("b", dist.Bernoulli(0.5)))

    def guide() -> None:
        logits = pyro.param("logits", lambda: torch.tensor([0.1, 0.6]))
        if pyro.sample("z", dist.Normal(logits[0], 1.0)) > 0:
            pyro.sample("b", dist.Bernoulli(logits=logits[1]))

    with Given(z=torch.tensor(-1.0)):
        estimator, _ = estimator_of(model, guide)
        carry = estimator.start()
    q = pyro.param("logits")[1].sigmoid()
    inner = 2.0 * q + dist.Bernoulli(q).entropy()
    (gradient,) = torch.autograd.grad(inner, leaves())
    mean = torch.zeros(())
    for b in (0.0, 1.0):
        with Given(z=torch.tensor(1.0), b=torch.tensor(b)):
            found = estimated(estimator, carry)
        mean = mean + (q if b else 1 - q) * found[1][1]
    assert_close((mean,), (gradient[1],))


def test_a_later_run_that_the_guide_does_not_cover_is_refused() -> None:
    def guide() -> None:
        pyro.sample("a", dist.Bernoulli(logits=pyro.param("l", lambda: torch.tensor(0.1))))

    with Given(a=torch.tensor(0.0)):
        estimator, _ = estimator_of(in_a_branch, guide)
    with (
        Given(a=torch.tensor(1.0)),
        pytest.raises(FitError, match="no site for the latent variable 'b'"),
    ):
        estimator({})


@pytest.mark.parametrize("particles", [1, 3])
def test_score_functions_can_be_traced(particles: int) -> None:
    assert_traceable(estimator_of(switches, SwitchesGuide(), particles)[0])


def test_an_unknown_baseline_option_is_told() -> None:
    guide = SwitchesGuide(baseline={"decay": 0.9})
    with pytest.raises(FitError, match="'a' has the baseline option 'decay'"):
        estimator_of(switches, guide)
