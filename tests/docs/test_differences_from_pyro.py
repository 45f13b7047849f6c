"""The page of differences names tests that exist; those of its rows that have none elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.infer import autoguide as stock
from pyro.optim import Adam
from torch.distributions import constraints

from autoguide_core import (
    AutoCallable,
    AutoDiagonalNormal,
    AutoGuideList,
    AutoIAFNormal,
    AutoNormal,
    init_to_mean,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _fresh_store():
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    yield
    pyro.clear_param_store()


def test_each_test_that_the_page_names_exists():
    page = (ROOT / "docs" / "differences-from-pyro.md").read_text(encoding="utf-8")
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
    }
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 50
    assert named <= defined, named - defined
    for file in re.findall(r"`(tests/[\w/.]+)`", page):
        assert (ROOT / file).is_file(), file


@pytest.mark.parametrize("family", [AutoNormal, AutoDiagonalNormal])
def test_quantiles_of_decreasing_maps_are_in_order(family):
    class Below(dist.Normal):
        support = constraints.less_than(3.0)

    guide = family(lambda: pyro.sample("x", Below(0.0, 1.0)), init_scale=0.5)
    guide()
    quantiles = guide.quantiles([0.1, 0.5, 0.9])["x"]
    draws = guide.sample_posterior(20_000)["x"]
    expected = torch.quantile(draws, torch.tensor([0.1, 0.5, 0.9]))
    torch.testing.assert_close(quantiles.reshape(3), expected, rtol=0.05, atol=0.05)


def test_means_that_are_not_finite_fall_back():
    def heavy():
        pyro.sample("x", dist.Pareto(1.0, 0.5))

    guide = AutoNormal(heavy, init_loc_fn=init_to_mean)
    assert 1 < guide.median()["x"] < 1e6


def model():
    pyro.sample("a", dist.Normal(0.0, 1.0))
    pyro.sample("b", dist.Normal(0.0, 1.0))


def test_states_of_flows_have_each_weight_once():
    theirs = stock.AutoIAFNormal(model)
    theirs()
    saved = {key: value.clone() for key, value in theirs.state_dict().items()}
    pyro.clear_param_store()
    guide = AutoIAFNormal(model)
    assert saved.keys() - guide.state_dict().keys() == {"_prototype_tensor"}
    guide.load_state_dict(saved)
    pyro.set_rng_seed(1)
    drawn = guide()
    pyro.set_rng_seed(1)
    torch.testing.assert_close(drawn, theirs())


def test_a_guide_of_pyro_s_in_a_list_is_a_plain_function():
    guide = AutoGuideList(model)
    guide.append(stock.AutoNormal(poutine.block(model, expose=["a"])))
    guide.append(AutoNormal(poutine.block(model, expose=["b"])))
    assert isinstance(guide[0], AutoCallable)
    SVI(model, guide, Adam({"lr": 0.1}), Trace_ELBO()).step()
    assert guide.median().keys() == {"b"}
