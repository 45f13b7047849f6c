"""What every family of guides must do when it is copied, saved and loaded."""

from __future__ import annotations

import copy
import io
import math
import pickle

import pyro
import pytest
import torch
from guide_families import FAMILIES, few_draws, pair, perturb, train
from pyro.infer import Trace_ELBO

from autoguide_core import AutoMessenger

VECTORISED = Trace_ELBO(num_particles=2, vectorize_particles=True, max_plate_nesting=1)


def with_data(y):
    pair(y)


def no_data():
    pair(0.5)


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    few_draws(monkeypatch)


def draws_of(guide, *args):
    pyro.set_rng_seed(7)
    return guide.sample_posterior(3, *args)


def assert_trains(guide, model, *args):
    before = {name: value.detach().clone() for name, value in guide.named_parameters()}
    if pyro.settings.get("module_local_params"):
        optim = torch.optim.Adam(guide.parameters(), lr=0.01)
        VECTORISED.differentiable_loss(model, guide, *args).backward()
        optim.step()
    else:
        losses = train(model, guide, *args) + train(model, guide, *args, elbo=VECTORISED)
        assert all(map(math.isfinite, losses))
    after = dict(guide.named_parameters())
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("is_local", [False, True])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_a_copy_and_its_original_go_their_own_ways(family, is_local):
    with pyro.settings.context(module_local_params=is_local):
        guide = family.make(pair)
        guide()
        assert_trains(guide, pair)
        perturb(guide)
        expected = draws_of(guide)
        twin = copy.deepcopy(guide)
        torch.testing.assert_close(draws_of(twin), expected)
        assert_trains(guide, pair)
        if is_local:  # in Pyro's store, guides of one name share their values
            torch.testing.assert_close(draws_of(twin), expected)
            kept = draws_of(guide)
            assert_trains(twin, pair)
            torch.testing.assert_close(draws_of(guide), kept)


@pytest.mark.parametrize("how", ["pickle", "torch"])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_a_file_gives_the_guide_back(family, how):
    guide = family.make(pair)
    train(pair, guide, elbo=VECTORISED)
    perturb(guide)
    expected = draws_of(guide)
    if how == "pickle":
        data = pickle.dumps(guide)
    else:
        buffer = io.BytesIO()
        torch.save(guide, buffer)
        buffer.seek(0)
    torch.testing.assert_close(draws_of(guide), expected)
    assert_trains(guide, pair)
    pyro.clear_param_store()
    loaded = pickle.loads(data) if how == "pickle" else torch.load(buffer, weights_only=False)
    if not family.can_reload:  # its draws follow the model
        with pytest.raises(RuntimeError, match="without its model"):
            loaded.sample_posterior(3)
        return
    torch.testing.assert_close(draws_of(loaded), expected)
    assert loaded.median().keys() == loaded.quantiles([0.5]).keys() == {"a", "b", "c"}
    assert_trains(loaded, pair)


@pytest.mark.parametrize("model", [no_data, with_data])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_a_state_goes_into_a_guide_that_was_not_called_yet(family, model):
    args = (torch.tensor(0.5),) if model is with_data else ()
    make = family.make
    if family.name in ("list", "hierarchical-messenger") and args:
        pytest.skip("the test's own list is made from the model without arguments")
    guide = make(model)
    train(model, guide, *args)
    perturb(guide)
    expected = draws_of(guide, *args)
    state = {name: value.clone() for name, value in guide.state_dict().items()}
    pyro.clear_param_store()
    fresh = make(model)
    fresh.load_state_dict(state)
    optimised = list(fresh.parameters())
    fresh.median(*args)  # sets it up, by draws of its own
    torch.testing.assert_close(draws_of(fresh, *args), expected)
    assert fresh.state_dict().keys() == state.keys()
    if optimised and not isinstance(fresh, AutoMessenger):
        # An optimizer may have them already; buffers of a flow stand among them until then.
        assert {id(p) for p in fresh.parameters()} <= {id(p) for p in optimised}
    assert_trains(fresh, model, *args)
