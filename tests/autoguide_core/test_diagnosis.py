"""Finding the term of an ELBO that is not a number, before it spoils the parameters."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam

from autoguide_core import AutoMultivariateNormal, AutoNormal, explain_loss
from autoguide_core.utils import deep_getattr, deep_setattr, mean_field_entropy


def model(data, power=1.0):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    s = pyro.sample("s", dist.HalfNormal(1.0))
    with pyro.plate("data", 3):
        pyro.sample("y", dist.Normal(a * (a - a).abs() ** power, s), obs=data)


def test_terms_add_up_to_the_elbo():
    guide = AutoNormal(model)
    guide(torch.ones(3))
    pyro.set_rng_seed(1)
    loss = Trace_ELBO().loss(model, guide, torch.ones(3))
    pyro.set_rng_seed(1)
    explained = explain_loss(model, guide, torch.ones(3))
    sign = {"log likelihood": 1, "log prior": 1}
    elbo = sum(sign.get(term.term, -1) * term.value for term in explained.terms)
    assert -elbo == pytest.approx(loss, rel=1e-5)
    assert explained.fault is None
    assert {(term.site, term.term) for term in explained.terms} == {
        ("a_unconstrained", "guide's log density"),
        ("a", "guide's log Jacobian"),
        ("s_unconstrained", "guide's log density"),
        ("s", "guide's log Jacobian"),
        ("a", "log prior"),
        ("s", "log prior"),
        ("y", "log likelihood"),
    }


def test_the_fault_is_found_in_values_and_in_derivatives():
    guide = AutoNormal(model)
    explained = explain_loss(model, guide, torch.tensor([1.0, math.nan, 1.0]))
    assert explained.fault is not None
    assert (explained.fault.site, explained.fault.term) == ("y", "log likelihood")
    assert "y  " in str(explained)
    assert "<- not finite" in str(explained)
    of_root = explain_loss(model, guide, torch.ones(3), power=0.5)
    assert of_root.fault is not None
    assert math.isfinite(of_root.fault.value)
    assert "its gradient is not finite" in str(of_root)


@pytest.mark.parametrize("family", [AutoNormal, AutoMultivariateNormal])
def test_a_gradient_that_is_not_a_number_is_told_before_the_step(family):
    guide = family(model)
    svi = SVI(model, guide, Adam({"lr": 0.1}), Trace_ELBO())
    svi.step(torch.ones(3))
    before = {name: value.clone() for name, value in guide.state_dict().items()}
    with pytest.raises(ValueError, match=r"gradient of the loss by site 'a'.*explain_loss"):
        svi.step(torch.ones(3), power=0.5)
    assert all((guide.state_dict()[name] == value).all() for name, value in before.items())
    with torch.no_grad():
        next(iter(guide.parameters())).fill_(math.nan)
    with pytest.raises(ValueError, match="of site 'a' is nan"):
        guide(torch.ones(3))


def test_entropy_of_independent_sites():
    def independent(scale):
        pyro.sample("a", dist.Normal(0.0, scale))
        pyro.sample("b", dist.Normal(torch.zeros(2), 1.0).to_event(1))

    of_one = 0.5 * math.log(2 * math.pi * math.e)
    assert mean_field_entropy(independent, [2.0]) == pytest.approx(3 * of_one + math.log(2.0))
    assert mean_field_entropy(independent, [1.0], whitelist=["b"]) == pytest.approx(2 * of_one)
    with pytest.raises(ValueError, match="no sample site 'c'"):
        mean_field_entropy(independent, [1.0], whitelist=["c"])


def test_attributes_at_dotted_paths():
    owner = pyro.nn.PyroModule("owner")
    deep_setattr(owner, "a.b.c", torch.ones(2))
    assert (deep_getattr(owner, "a.b.c") == 1).all()
