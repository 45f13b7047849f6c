"""Estimators: the bound and its gradient are those of Pyro, and can be traced to a graph."""

from __future__ import annotations

from collections.abc import Iterator

import pyro
import pyro.distributions as dist
import pytest
import torch
from estimator_pairs import (
    CASES,
    SwitchesGuide,
    assert_close,
    assert_traceable,
    data,
    estimated,
    estimator_of,
    mixture,
    pyros,
    seeded,
    switches,
)
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO, config_enumerate
from torch.distributions import kl_divergence

from autoguide_core import AutoNormal, AutoNormalMessenger, FitError, init_to_value
from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.joint import joint_trace


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("particles", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_bounds_and_gradients_are_those_of_pyro(name: str, particles: int) -> None:
    case, together = CASES[name], particles > 1
    guide = case.guide(case.model)
    closed = case.oracle is TraceMeanField_ELBO
    estimator, notes = estimator_of(case.model, guide, particles, analytic_kl=closed)
    oracle = case.oracle(
        num_particles=particles,
        vectorize_particles=together,
        max_plate_nesting=case.depth + together,
    )
    assert not notes
    expected = seeded(lambda: pyros(oracle, case.model, guide))
    assert_close(seeded(lambda: estimated(estimator, estimator.start())), expected)
    if not together:
        assert_traceable(estimator)


@pytest.mark.parametrize("name", ["minibatches", "chain", "both sides", "closed form"])
def test_single_precision_stays(name: str) -> None:
    torch.set_default_dtype(torch.float32)
    case = CASES[name]
    estimator, _ = estimator_of(case.model, case.guide(case.model))
    single = seeded(lambda: estimated(estimator, {}))
    assert {tensor.dtype for tensor in single} == {torch.float32}


def test_particles_are_drawn_one_by_one_where_the_model_does_not_broadcast() -> None:
    """There is no error under a plate of particles, only a shape that no plate explains."""

    def model() -> None:
        loc = pyro.sample("loc", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        pyro.sample("y", dist.Normal(loc[0] * loc[1], 1.0), obs=data()[0])
        with pyro.plate("data", 6):
            pyro.sample("other", dist.Normal(0.0, 1.0), obs=data())

    guide = AutoNormal(model)
    estimator, notes = estimator_of(model, guide, 3)
    oracle = Trace_ELBO(num_particles=3, max_plate_nesting=1)
    assert "one by one" in notes[0]
    expected = seeded(lambda: pyros(oracle, model, guide))
    assert_close(seeded(lambda: estimated(estimator, {})), expected)


def test_sums_that_share_nothing_may_have_scales_of_their_own() -> None:
    def model(names: str = "ab") -> None:
        for name, scale in (("a", 2.0), ("b", 3.0)):
            if name in names:
                with poutine.scale(scale=scale), pyro.plate(f"{name}_data", 6):
                    k = pyro.sample(name, dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
                    pyro.sample(f"{name}_y", dist.Normal(k, 1.0), obs=data())

    expected = sum(-TraceEnum_ELBO(max_plate_nesting=1).loss(model, no_latents, n) for n in "ab")
    estimator, _ = estimator_of(model, lambda: None)
    assert float(estimator({}).elbo) == pytest.approx(expected)


def no_latents(names: str) -> None:
    """A guide of no latents."""


def test_scales_stand_outside_of_sums_in_the_joint_density_too() -> None:
    def model() -> None:
        with poutine.scale(scale=2.0), pyro.plate("data", 6), poutine.mask(mask=data() > 0):
            k = pyro.sample("k", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
            pyro.sample("y", dist.Normal(k, 1.0), obs=data())

    expected = -TraceEnum_ELBO(max_plate_nesting=1).loss(model, lambda: None)
    with pyro.validation_enabled(False):
        assert float(joint_trace(model, (), {}, 1)[1]) == pytest.approx(expected)


# Divergences in closed form -----------------------------------------------------------------------


def test_a_closed_form_takes_the_noise_out_of_the_divergence() -> None:
    """With no data, the bound is minus the divergence from the prior at every draw."""

    def model() -> None:
        pyro.sample("scale", dist.LogNormal(0.0, 2.0))
        with pyro.plate("data", 3), poutine.mask(mask=torch.tensor([True, True, False])):
            pyro.sample("z", dist.Normal(1.0, 2.0))

    guide = AutoNormal(model, init_loc_fn=init_to_value(values={"scale": 1.0, "z": 0.0}))
    estimator, _ = estimator_of(model, guide, analytic_kl=True)
    narrow, at_zero = dist.Normal(0.0, 0.1), dist.Normal(0.0, 2.0)
    exact = kl_divergence(narrow, at_zero) + 2 * kl_divergence(narrow, dist.Normal(1.0, 2.0))
    for seed in (1, 2):
        assert_close(seeded(lambda: estimated(estimator, {}), seed)[:1], (-exact,), 1e-5)


def test_the_log_density_of_a_point_counts_beside_closed_forms() -> None:
    """Pyro's closed form for a point forgets it."""
    case = CASES["auxiliary"]
    guide = case.guide(case.model)
    estimator, _ = estimator_of(case.model, guide, analytic_kl=True)
    expected = seeded(lambda: pyros(Trace_ELBO(), case.model, guide))
    assert_close(seeded(lambda: estimated(estimator, {})), expected)


def test_a_closed_form_is_not_used_where_the_guide_draws_parents_after_their_children() -> None:
    """Pyro's bound is half a nat off here: the prior of `b` depends on what `b` gives `a`."""

    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.sample("b", dist.Normal(a, 1.0))

    def guide() -> None:
        loc = pyro.param("loc", lambda: torch.tensor(0.3))
        b = pyro.sample("b", dist.Normal(loc, 1.0))
        pyro.sample("a", dist.Normal(0.5 * b, 1.0))

    estimator, _ = estimator_of(model, guide, 20_000, analytic_kl=True)
    prior = dist.MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 1.0], [1.0, 2.0]]))
    posterior = dist.MultivariateNormal(
        torch.tensor([0.15, 0.3]), torch.tensor([[1.25, 0.5], [0.5, 1.0]])
    )
    exact = -kl_divergence(posterior, prior)
    assert_close((seeded(lambda: estimated(estimator, {}))[0],), (exact,), 0.03)


# What is refused ----------------------------------------------------------------------------------


def test_what_is_left_to_pyro_is_told() -> None:
    sequential = SwitchesGuide(enumerate="sequential")
    with pytest.raises(Untraceable, match="'a' is enumerated one value after the other"):
        estimator_of(switches, sequential)
    messenger = AutoNormalMessenger(poutine.block(mixture, hide=["k"]))
    with pytest.raises(Untraceable, match="messenger"):
        estimator_of(mixture, messenger)


def test_sums_that_cannot_be_done_are_told_with_their_site() -> None:
    @config_enumerate
    def scales() -> None:
        a = pyro.sample("a", dist.Bernoulli(0.4))
        with pyro.plate("data", 6, subsample_size=2) as index:
            pyro.sample("y", dist.Normal(a, 1.0), obs=data()[index])

    with pytest.raises(FitError, match=r"'a' and 'y'.* scales 1 and 3") as caught:
        estimator_of(scales, lambda: None)
    assert caught.value.site == "y"

    def local() -> None:
        a = pyro.sample("a", dist.Bernoulli(0.4), infer={"enumerate": "parallel"})
        with pyro.plate("data", 2):
            b = pyro.sample("b", dist.Bernoulli(0.2 + 0.5 * a))
            pyro.sample("y", dist.Normal(b, 1.0), obs=data()[:2])

    def local_guide() -> None:
        with pyro.plate("data", 2):
            pyro.sample("b", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})

    with pytest.raises(FitError, match="'b' is enumerated in the guide, inside of a plate"):
        estimator_of(local, local_guide)
