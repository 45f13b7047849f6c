"""Whole steps of Pyro models with many distributions: native code beside the graph in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyro
import pyro.distributions as dist
import pytest
import torch

from autoguide_core import AutoNormal
from autoguide_core.engine.estimators import make_estimator
from autoguide_core.engine.optimisers import make_optimiser, rates
from autoguide_core.engine.stepping.choice import Choice
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.parameters import packed
from autoguide_core.engine.stepping.step import Step, copied, restore
from autoguide_core.engine.stepping.supply import discover
from autoguide_core.engine.structure import inspect, parameters

STEPS = 20


def positive() -> None:
    a = pyro.sample("a", dist.Gamma(2.0, 3.0))
    b = pyro.sample("b", dist.InverseGamma(4.0, a))
    c = pyro.sample("c", dist.Weibull(1.0 + a, b))
    pyro.sample("d", dist.Beta(1.0 + a, 1.0 + c))
    with pyro.plate("n", 3):
        pyro.sample("y", dist.GammaPoisson(1.0 + a, b), obs=torch.tensor([0.0, 2.0, 5.0]).to(a))


def vectors() -> None:
    weights = pyro.sample("weights", dist.Dirichlet(torch.ones(3)))
    factor = pyro.sample("factor", dist.LKJCholesky(3, 2.0))
    x = pyro.sample("x", dist.MultivariateNormal(torch.zeros(3), scale_tril=factor))
    with pyro.plate("n", 4):
        pyro.sample("k", dist.Categorical(weights), obs=torch.tensor([0, 2, 1, 2]))
        pyro.sample("t", dist.StudentT(4.0, x.sum(), 1.0), obs=torch.arange(4.0).to(x))


def angles() -> None:
    a = pyro.sample("a", dist.VonMises(0.0, 2.0))
    b = pyro.sample("b", dist.SoftLaplace(a, 1.0))
    with pyro.plate("n", 3):
        pyro.sample("y", dist.VonMises(a, 3.0), obs=torch.tensor([0.1, -0.5, 1.0]).to(b))


@pytest.mark.parametrize("model", [positive, vectors, angles])
def test_native_steps_are_those_of_the_graph(model: Callable[[], None]) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        guide = AutoNormal(model)
        structure = inspect(model, guide, (), {})
        estimator, _ = make_estimator(structure, model, guide, (), {}, particles=1)
        rule = make_optimiser("Adam", {})
        with (
            pyro.validation_enabled(False),
            packed(leaves := tuple(parameters().values())) as theta,
        ):
            step = Step(estimator, rule, leaves)
            step = replace(step, draws=discover(lambda: step.gradient(estimator.start())))
            numbers = torch.arange(1, STEPS + 1)
            rows = rule.rows(numbers, rates("cosine", rule.lr, numbers, STEPS)).to(theta)
            state = step.start(theta)
            choice, first = Choice(step, state, rows[0], model.__name__), copied(state)
            noise = NoiseSource(step.draws, 1, theta.device).block(0, STEPS)
            expected, wanted = choice.traced().run(state, noise, rows), copied(state)
            restore(state, first)
            found = choice.native().run(state, noise, rows)
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(state, wanted, rtol=1e-9, atol=1e-9)
    finally:
        torch.set_default_dtype(torch.float32)
