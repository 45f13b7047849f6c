"""Points with impossible parameters have no density: by hand, in graphs and in compiled code."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from torch import Tensor

from autoguide_core import AutoNormal, FitSettings, fit
from autoguide_core.distributions import Mixture, Truncated
from autoguide_core.engine.curvature.compiled import CompiledGradients
from autoguide_core.engine.curvature.density import LogDensity
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.estimators.particles import Particles
from autoguide_core.engine.validity import Validity

POINTS = torch.tensor([0.3, -0.45, 0.6, 1.3, -1.7], dtype=torch.float64)[:, None]
ONE, TWO = torch.tensor(1.0), torch.tensor([0.4, 0.6])

SITES: dict[str, tuple[Callable[[Tensor], Any], Callable[[Tensor], Tensor]]] = {
    "beta": (lambda a: dist.Beta(a, 2.0), lambda a: 0.3 * ONE),
    "gamma": (lambda a: dist.Gamma(a, 1.0), lambda a: ONE),
    "inverse gamma": (lambda a: dist.InverseGamma(a, 1.0), lambda a: ONE),
    "exponential": (dist.Exponential, lambda a: ONE),
    "poisson": (dist.Poisson, lambda a: 0.0 * ONE),
    "bernoulli": (lambda a: dist.Bernoulli(probs=a), lambda a: ONE),
    "binomial": (lambda a: dist.Binomial(5, probs=a), lambda a: 5.0 * ONE),
    "categorical": (lambda a: dist.Categorical(torch.stack([a, 1.0 - a])), lambda a: 0.0 * ONE),
    "negative binomial": (lambda a: dist.NegativeBinomial(a, probs=0.3), lambda a: ONE),
    "student": (lambda a: dist.StudentT(a, 0.0, 1.0), lambda a: ONE),
    "von mises": (lambda a: dist.VonMises(0.0, a), lambda a: ONE),
    "dirichlet": (lambda a: dist.Dirichlet(torch.stack([a, 1.0 + a])), lambda a: TWO),
    "beta binomial": (lambda a: dist.BetaBinomial(a, 1.0, 4.0), lambda a: ONE),
    "squared scale": (lambda a: dist.Normal(0.0, 1.0 - a * a), lambda a: ONE),
    "independent": (lambda a: dist.Gamma(a + TWO, 1.0).to_event(1), lambda a: TWO),
    "expanded": (lambda a: dist.Beta(a, 1.0).expand([2]).to_event(1), lambda a: TWO),
    "transformed": (lambda a: dist.LogNormal(0.0, a), lambda a: ONE),
    "mixture": (
        lambda a: dist.MixtureSameFamily(
            dist.Categorical(TWO), dist.Gamma(torch.stack([a, ONE.to(a)]), 1.0)
        ),
        lambda a: ONE,
    ),
    "our mixture": (
        lambda a: Mixture(TWO.to(a), [dist.Gamma(a, 1.0), dist.Exponential(1.0 + a)]),
        lambda a: ONE,
    ),
    "truncated": (lambda a: Truncated(dist.Gamma(a, 1.0), lower=0.5), lambda a: ONE),
    "support that moves": (lambda a: dist.Pareto(torch.exp(a), 2.0), lambda a: ONE),
    "value that moves": (lambda a: dist.Exponential(1.0), lambda a: 0.5 - a),
}


def model_of(name: str) -> Callable[[], None]:
    make, value = SITES[name]

    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("y", make(a), obs=value(a))

    return model


def validated(model: Callable[[], None], point: Tensor) -> float:
    """What stock Pyro says, with an exception as -inf."""
    conditioned = poutine.condition(model, data={"a": point[0]})
    with pyro.validation_enabled():
        try:
            return float(poutine.trace(conditioned).get_trace().log_prob_sum())
        except ValueError:
            return -math.inf


@pytest.mark.parametrize("name", SITES)
def test_the_density_is_that_of_validated_distributions(name: str) -> None:
    model = model_of(name)
    expected = [validated(model, point) for point in POINTS]
    assert -math.inf in expected
    gradients = Gradients(LogDensity(model), POINTS[0])
    assert gradients.obstacle is None
    values, slopes = gradients.value_and_grad(POINTS)
    assert values.tolist() == pytest.approx(expected, rel=1e-6)
    assert bool(slopes[values.isfinite()].isfinite().all())


def test_compiled_code_knows_it_too() -> None:
    gradients = Gradients(LogDensity(model_of("beta")), POINTS[0])
    compiled = CompiledGradients(gradients, 1, 2)
    if compiled.engine != "native":
        pytest.skip(compiled.obstacle)
    found, expected = compiled.value_and_grad(POINTS)[0], gradients.value_and_grad(POINTS)[0]
    assert found.isfinite().tolist() == [True, False, True, True, False]
    assert torch.allclose(found, expected)


def test_a_mistake_is_no_refusal_in_compiled_code_either() -> None:
    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 0.1))
        pyro.factor("f", a * (torch.tensor(6) // (a > -1.5).long()))

    gradients = Gradients(LogDensity(model), POINTS[0])
    compiled = CompiledGradients(gradients, 1, 2)
    if compiled.engine != "native":
        pytest.skip(compiled.obstacle)
    assert torch.allclose(*(g.value_and_grad(POINTS[:1])[0] for g in (compiled, gradients)))
    for evaluate in (gradients.value_and_grad, compiled.value_and_grad):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            evaluate(POINTS)


def test_pyros_own_estimators_know_it_too() -> None:
    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.5, 1.0))
        pyro.sample("y", dist.Bernoulli(probs=a), obs=ONE)

    def guide() -> None:
        pyro.sample("a", dist.Normal(pyro.param("m", 0.5 * ONE), 0.3))

    def in_turn(function: Callable[[], None]) -> Callable[[], None]:
        def with_k() -> None:
            function()
            pyro.sample("k", dist.Bernoulli(0.5), infer={"enumerate": "sequential"})

        return with_k

    standing = {"lr": 0.0}
    settings = FitSettings(steps=60, optimizer="SGD", optimizer_options=standing, method="adam")
    ours = fit(model, guide, settings=settings)
    pyros = fit(in_turn(model), in_turn(guide), settings=settings)
    assert "steps drew where the model has no density" in pyros.notes[0]
    assert pyros.elbo == pytest.approx(ours.elbo, abs=1e-5)


def test_an_estimate_of_the_bound_has_none_there() -> None:
    model = model_of("bernoulli")  # of whose logits torch makes a finite number anyway
    for location, is_finite in ((0.5, True), (1.5, False)):
        guide = AutoNormal(
            model, init_loc_fn=lambda _, at=location: torch.tensor(at), init_scale=0.01
        )
        with pyro.validation_enabled(False):
            (pair,) = Particles(model, guide, (), {}, 0).pairs()
        bound = pair.model.log_prob_sum()
        assert bool(torch.isfinite(bound)) is is_finite
        pyro.clear_param_store()


def test_what_follows_from_a_draw_without_a_gradient_is_looked_at() -> None:
    def model() -> None:
        k = pyro.sample("k", dist.Poisson(1.0))
        pyro.sample("y", dist.Gamma(k - 2.0, 1.0), obs=ONE)

    with pyro.validation_enabled(False):
        for value, is_finite in ((1.0, False), (4.0, True)):
            given = poutine.condition(model, data={"k": torch.tensor(value)})
            bound = poutine.trace(Validity()(given)).get_trace().log_prob_sum()
            assert bool(torch.isfinite(torch.as_tensor(bound))) is is_finite


def test_what_is_positive_by_its_making_is_left_as_it_is() -> None:
    def model() -> None:
        mu = pyro.sample("mu", dist.Normal(torch.zeros(3), 1.0).to_event(1))
        sigma = pyro.sample("sigma", dist.HalfNormal(torch.ones(3)).to_event(1))
        share = pyro.sample("share", dist.Beta(1.0, 1.0))
        with pyro.plate("data", 4):
            group = torch.tensor([0, 1, 2, 0])
            pyro.sample("y", dist.Normal(mu[group], sigma[group]), obs=torch.zeros(4))
            pyro.sample("n", dist.Poisson(mu[group].exp()), obs=torch.ones(4))
            pyro.sample("z", dist.Bernoulli(share), obs=torch.ones(4))

    density = LogDensity(model)
    point = torch.zeros(density.dim, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        density(point)
    names: list[str] = []

    class Watch(Validity):
        def _pyro_sample(self, msg: Any) -> None:
            before = msg["fn"]
            super()._pyro_sample(msg)
            if msg["fn"] is not before:
                names.append(msg["name"])

    with pytest.MonkeyPatch.context() as patch, torch.enable_grad():
        patch.setattr("autoguide_core.engine.joint.Validity", Watch)
        density(point)
        assert names == []
        LogDensity(model_of("beta"))(POINTS[0].clone().requires_grad_())
        assert names == ["y"]
