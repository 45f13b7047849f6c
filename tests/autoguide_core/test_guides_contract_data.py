"""What every family of guides must do with minibatches, masks and supports that move."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from guide_families import FAMILIES, few_draws, perturb, train
from pyro import poutine
from pyro.infer import Trace_ELBO

DATA = torch.tensor([-1.0, 0.5, 2.0, 1.0])


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    few_draws(monkeypatch)


# --- Minibatches ---


def drawn_minibatch():
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("rows", 4, subsample_size=2) as index:
        z = pyro.sample("z", dist.Normal(mu, 1.0))
        pyro.sample("w", dist.HalfNormal(torch.ones(2)).to_event(1))
        pyro.sample("y", dist.Normal(z, 0.5), obs=DATA[index])


def given_minibatch(index):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("rows", 4, subsample=index):
        z = pyro.sample("z", dist.Normal(mu, 1.0))
        pyro.sample("y", dist.Normal(z, 0.5), obs=DATA[index])


SUBSAMPLING = [family for family in FAMILIES if family.can_subsample]
OTHERS = [family for family in FAMILIES if not family.can_subsample]


@pytest.mark.parametrize("family", OTHERS, ids=str)
def test_what_cannot_be_subsampled_is_refused_with_advice(family):
    with pytest.raises(ValueError, match=r"'(z|w)'.*plate 'rows'.*2 of 4.*AutoNormal"):
        family.make(drawn_minibatch)()
    pyro.clear_param_store()
    guide = family.make(given_minibatch)
    guide(torch.arange(4))
    train(given_minibatch, guide, torch.arange(4))
    with pytest.raises(ValueError, match=r"'z'.*plate 'rows'.*2 of 4"):
        guide(torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"'z'.*plate 'rows'.*another order"):
        guide(torch.tensor([3, 2, 1, 0]))


@pytest.mark.parametrize("family", SUBSAMPLING, ids=str)
def test_minibatches_train_parameters_of_the_full_size(family):
    guide = family.make(drawn_minibatch)
    train(drawn_minibatch, guide, steps=3)
    assert {name: value.shape for name, value in guide.median().items()} == {
        "mu": (),
        "z": (4,),
        "w": (4, 2),
    }
    assert guide.quantiles([0.1, 0.9])["w"].shape == (2, 4, 2)
    draws = guide.sample_posterior(5)
    assert draws["z"].shape == (5, 4)
    if family.can_score:
        assert torch.isfinite(guide.posterior().log_prob(draws)).all() or family.is_point
    vectorised = Trace_ELBO(num_particles=3, vectorize_particles=True, max_plate_nesting=1)
    train(drawn_minibatch, guide, elbo=vectorised)


def mean_loss(model, guide, *args, num_particles=4000):
    elbo = Trace_ELBO(num_particles=num_particles, vectorize_particles=True, max_plate_nesting=1)
    pyro.set_rng_seed(5)
    with torch.no_grad():
        return elbo.loss(model, guide, *args)


@pytest.mark.parametrize("family", SUBSAMPLING, ids=str)
def test_the_elbo_of_minibatches_is_right_in_expectation(family):
    batches = [torch.tensor(batch) for batch in ([0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3])]
    make = family.make
    if family.name in ("list", "hierarchical-messenger"):  # they ask the model for its sites

        def model(index=None):
            given_minibatch(torch.arange(4) if index is None else index)
    else:
        model = given_minibatch
    guide = make(model)
    guide(batches[1])
    perturb(guide, 0.3)
    full = mean_loss(model, guide, torch.arange(4))
    parts = [mean_loss(model, guide, batch) for batch in batches]
    assert sum(parts) / len(parts) == pytest.approx(full, abs=0.15)
    assert max(parts) - min(parts) > 0.5  # the batches do differ
    trace = poutine.trace(guide).get_trace(torch.tensor([3, 1]))
    assert trace.nodes["z"]["value"].shape == (2,)


@pytest.mark.parametrize("family", SUBSAMPLING, ids=str)
def test_a_plate_may_take_a_minibatch_at_some_calls_only(family):
    if family.name in ("list", "hierarchical-messenger"):
        pytest.skip("made by a function of the tests, which asks the model for its sites")
    guide = family.make(given_minibatch)
    for index in ([0, 1, 2, 3], [2, 1], [0], [3, 2, 1, 0], [1, 2, 3]):
        loss = Trace_ELBO().loss(given_minibatch, guide, torch.tensor(index))
        assert math.isfinite(loss)
        assert guide(torch.tensor(index))["z"].shape == (len(index),)
    assert guide.median(torch.arange(4))["z"].shape == (4,)


# --- Masks ---

KEEP = torch.tensor([True, False, True, False])


def masked():
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    with pyro.plate("rows", 4):
        with poutine.mask(mask=KEEP):
            z = pyro.sample("z", dist.Normal(a, 1.0))
        w = pyro.sample("w", dist.LogNormal(0.0, 1.0).mask(KEEP))
        pyro.sample("y", dist.Normal(z + w, 1.0).mask(KEEP), obs=torch.ones(4))
    v = pyro.sample("v", dist.HalfNormal(torch.ones(4)).mask(KEEP).to_event(1))
    pyro.sample("x", dist.Normal(v, 1.0).mask(KEEP).to_event(1), obs=torch.ones(4))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_masked_entries_do_not_run_away(family):
    guide = family.make(masked)
    losses = train(masked, guide, steps=200, lr=0.05)
    assert all(map(math.isfinite, losses))
    draws = guide.sample_posterior(500)
    for name, value in draws.items():
        assert torch.isfinite(value).all()
        if name != "a":
            unconstrained = value if name == "z" else value.log()
            # Half the middle two thirds: the scale of a Normal, and of a flow without its tails.
            low, high = unconstrained[:, ~KEEP].quantile(torch.tensor([0.16, 0.84]), 0)
            assert (0.5 * (high - low)).max() <= 2, name
            assert unconstrained[:, ~KEEP].median(0).values.abs().max() <= 3, name
    if not family.is_point:
        # The evidence bounds it, wherever the masked entries are.
        assert sum(losses[-50:]) / 50 > 4


# --- Supports that move ---


def moving():
    a = pyro.sample("a", dist.Uniform(0.0, 1.0))
    with pyro.plate("rows", 3):
        b = pyro.sample("b", dist.Uniform(torch.zeros(()), 1 - a))
        pyro.sample("y", dist.Normal(a + b, 0.3), obs=torch.tensor([0.5, 0.9, 1.2]))


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_supports_may_move_or_are_refused(family):
    guide = family.make(moving)
    if not family.moves:
        with pytest.raises(ValueError, match=r"'b'.*depends on a"):
            guide()
        return
    losses = train(moving, guide, steps=5, lr=0.1)
    vectorised = Trace_ELBO(num_particles=5, vectorize_particles=True, max_plate_nesting=1)
    losses += train(moving, guide, steps=5, lr=0.1, elbo=vectorised)
    assert all(map(math.isfinite, losses))
    draws = guide.sample_posterior(50)
    assert (draws["b"] < 1 - draws["a"][:, None]).all()
    median = guide.median()
    assert (median["b"] < 1 - median["a"]).all() or family.name == "dais"
    assert guide.quantiles([0.2, 0.8])["b"].shape == (2, 3)
    if family.can_score and not family.is_point:
        trace = poutine.trace(guide).get_trace()
        trace.compute_log_prob()
        names = [n for n in trace.stochastic_nodes if n not in ("rows", "y")]
        expected = sum(trace.nodes[name]["log_prob"].sum() for name in names)
        one = {name: trace.nodes[name]["value"].detach()[None] for name in ("a", "b")}
        score = guide.posterior().log_prob(one)
        assert score.item() == pytest.approx(expected.item(), abs=2e-3)
