"""Where guides start: each strategy's value, its checks, and how strategies combine."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer.autoguide import initialization as stock
from pyro.infer.reparam import LocScaleReparam

import autoguide_core.initialization as ours
from autoguide_core import (
    InitMessenger,
    init_to_feasible,
    init_to_generated,
    init_to_mean,
    init_to_median,
    init_to_sample,
    init_to_uniform,
    init_to_value,
)


def model():
    pyro.sample("real", dist.Normal(3.0, 1.0))
    with pyro.plate("plate", 4, dim=-1):
        pyro.sample("positive", dist.Gamma(3.0, 1.0))
    pyro.sample("heavy", dist.Cauchy(0.0, 1.0))
    pyro.sample("simplex", dist.Dirichlet(torch.tensor([1.0, 4.0])))
    pyro.sample("chol", dist.LKJCholesky(3, 1.0))
    pyro.sample("unit", dist.Bernoulli(0.5).expand([2]).mask(False).to_event(1), obs=torch.ones(2))


def values(strategy, fn=model, module=ours):
    pyro.set_rng_seed(0)
    trace = poutine.trace(module.InitMessenger(strategy)(fn)).get_trace()
    found = {name: site["value"] for name, site in trace.iter_stochastic_nodes()}
    found.pop("plate", None)
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda m: m.init_to_feasible,
        lambda m: m.init_to_sample(),
        lambda m: m.init_to_median(num_samples=7),
        lambda m: m.init_to_mean,
        lambda m: m.init_to_uniform(radius=0.5),
        lambda m: m.init_to_value(values={"real": torch.tensor(5.0)}),
        lambda m: m.init_to_value(values={}, fallback=m.init_to_mean(fallback=m.init_to_sample)),
    ],
)
def test_strategies_equal_stock_pyro(make):
    expected, actual = values(make(stock), module=stock), values(make(ours))
    assert list(actual) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value)
        assert not actual[name].requires_grad


def test_only_a_users_value_counts_as_custom():
    found = values(init_to_value(values={"real": torch.tensor(1.0)}))
    assert getattr(found.pop("real"), "_pyro_custom_init", True)
    assert all(value._pyro_custom_init is False for value in found.values())


@pytest.mark.parametrize("strategy", [init_to_mean, init_to_median, init_to_value])
def test_a_strategy_without_a_fallback_says_so(strategy):
    def heavy():
        pyro.sample("x", dist.Cauchy(torch.tensor(float("nan")), 1.0, validate_args=False))

    with pytest.raises(ValueError, match="'x'"):
        values(strategy(fallback=None), heavy)


def test_generated_strategies_are_made_once_a_run():
    calls = []

    def generate():
        calls.append(len(calls))
        return init_to_value(values={"real": torch.tensor(float(len(calls)))})

    messenger = InitMessenger(init_to_generated(generate=generate))
    for run in (1, 2, 3):
        trace = poutine.trace(messenger(model)).get_trace()
        assert trace.nodes["real"]["value"].item() == run
    assert len(calls) == 3


def test_values_that_are_there_and_index_draws_are_left_alone():
    def conditioned():
        with pyro.plate("data", 10, subsample_size=3):
            pyro.sample("x", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(0.0, 1.0), obs=torch.tensor(9.0))

    seen = []

    def strategy(site):
        seen.append(site["name"])
        return init_to_sample(site)

    poutine.trace(InitMessenger(strategy)(conditioned)).get_trace()
    assert seen == ["x"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(1), r"'positive' has the wrong shape: expected \(4,\), got \(1,\)"),
        (-torch.ones(4), "'positive' is not in the site's support"),
        ([1.0] * 4, "'positive' must be a tensor, not list"),
    ],
)
def test_a_users_value_is_checked(value, message):
    with pytest.raises(ValueError, match=message):
        values(init_to_value(values={"positive": value}))


def test_numbers_fill_their_site_and_integers_become_floats():
    found = values(init_to_value(values={"positive": 2, "simplex": torch.tensor([0.5, 0.5])}))
    assert found["positive"].tolist() == [2.0] * 4
    assert found["positive"].is_floating_point()


def test_numbers_take_the_dtype_of_their_site():
    def double():
        pyro.sample("x", dist.Normal(torch.zeros(2).double(), 1.0).to_event(1))

    for value in (1, 0.5, torch.ones(2, dtype=torch.long)):
        assert values(init_to_value(values={"x": value}), double)["x"].dtype == torch.float64


def test_the_closest_name_is_suggested_and_fallbacks_are_searched():
    messenger = InitMessenger(
        init_to_value(values={"real": 1.0}, fallback=init_to_value(values={"hevy": 1.0}))
    )
    messenger(model)()
    with pytest.raises(ValueError, match=r"'hevy'.*Did you mean 'heavy'"):
        messenger.check_names()


def test_discrete_sites_get_advice():
    with pytest.raises(ValueError, match="enumerat"):
        values(init_to_feasible, lambda: pyro.sample("z", dist.Bernoulli(0.5)))


def test_initialisation_reaches_through_reparameterisation():
    @poutine.reparam(config={"x": LocScaleReparam(0.0)})
    def reparameterised():
        return pyro.sample("x", dist.Normal(2.0, 4.0))

    messenger = InitMessenger(init_to_value(values={"x": torch.tensor(10.0)}))
    trace = poutine.trace(messenger(reparameterised)).get_trace()
    assert trace.nodes["x"]["value"].item() == pytest.approx(10.0)
    assert trace.nodes["x_decentered"]["value"].item() == pytest.approx(2.0)
    messenger.check_names()


def test_uniform_stays_in_its_box():
    found = values(init_to_uniform(radius=0.1))
    assert abs(found["real"].item()) <= 0.1
    assert found["positive"].log().abs().max() <= 0.1


def test_median_is_that_of_the_prior():
    found = values(init_to_median(num_samples=4001))
    assert found["real"].item() == pytest.approx(3.0, abs=0.1)
