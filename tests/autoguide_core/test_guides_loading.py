"""Parameters before the first call, saved states, and values that another guide left behind."""

from __future__ import annotations

import warnings

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam

from autoguide_core import (
    AutoDelta,
    AutoDiagonalNormal,
    AutoGuideList,
    AutoIAFNormal,
    AutoLaplaceApproximation,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
)


def of_data(data):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b.c", dist.LogNormal(torch.zeros(3), 1.0).to_event(1))
    pyro.sample("obs", dist.Normal(a + b.sum(-1), 1.0), obs=data)


def alone():
    of_data(torch.tensor(1.0))


def in_parts(model):
    guide = AutoGuideList(model)
    guide.append(AutoNormal(poutine.block(model, expose=["a"])))
    guide.append(AutoMultivariateNormal(poutine.block(model, hide=["a"])))
    return guide


FAMILIES = [
    AutoNormal,
    AutoDelta,
    AutoDiagonalNormal,
    AutoMultivariateNormal,
    AutoLowRankMultivariateNormal,
    AutoIAFNormal,
    AutoLaplaceApproximation,
    in_parts,
]
CASES = [(alone, ()), (of_data, (torch.tensor(1.0),))]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_without_arguments_gives_parameters_at_once(family):
    guide = family(alone)
    before = [name for name, _ in guide.named_parameters()]
    guide()
    assert before
    assert before == [name for name, _ in guide.named_parameters()]
    assert list(family(of_data).named_parameters()) == []


@pytest.mark.parametrize(("model", "args"), CASES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_fresh_guide_takes_a_saved_state(family, model, args):
    trained = family(model)
    svi = SVI(model, trained, Adam({"lr": 0.1}), Trace_ELBO())
    for _ in range(3):
        svi.step(*args)
    saved = {key: value.clone() for key, value in trained.state_dict().items()}
    pyro.clear_param_store()

    guide = family(model)
    guide.load_state_dict(saved)
    parameters = list(guide.parameters())
    optimizer = torch.optim.Adam(parameters, lr=0.1)
    guide(*args)
    pyro.set_rng_seed(1)
    value = guide(*args)
    assert guide.state_dict().keys() == saved.keys()
    assert all((guide.state_dict()[key] == saved[key]).all() for key in saved)
    pyro.set_rng_seed(1)
    assert all((value[name] == of_trained).all() for name, of_trained in trained(*args).items())

    # The optimizer was made before the first call: it must hold what is trained.
    Trace_ELBO().differentiable_loss(model, guide, *args).backward()
    optimizer.step()
    assert any((guide.state_dict()[key] != saved[key]).any() for key in saved)


def test_a_state_that_does_not_fit_is_told_with_its_parameter():
    for saved, reason in [
        ({"loc": torch.zeros(7), "scale_unconstrained": torch.zeros(7)}, r"'loc' has shape \(7,\)"),
        ({"locs.a_unconstrained": torch.zeros(())}, "'locs.a_unconstrained'.*has not.*loc, scale"),
    ]:
        guide = AutoDiagonalNormal(of_data)
        guide.load_state_dict(saved)
        with pytest.raises(ValueError, match=reason):
            guide(torch.tensor(1.0))


@pytest.mark.parametrize("family", FAMILIES)
def test_values_that_another_guide_left_are_told(family):
    family(alone)()
    second = family(alone)
    with pytest.warns(UserWarning, match=r"did not make: '.*clear_param_store"):
        second()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second()
        pyro.clear_param_store()
        family(alone)()


def test_values_of_another_shape_are_refused():
    AutoNormal(lambda: pyro.sample("a", dist.Normal(torch.zeros(2), 1.0).to_event(1)))()
    with (
        pytest.warns(UserWarning, match="did not make"),
        pytest.raises(ValueError, match=r"'AutoNormal.locs.a' with shape \(2,\).*needs \(\)"),
    ):
        AutoNormal(alone)()
