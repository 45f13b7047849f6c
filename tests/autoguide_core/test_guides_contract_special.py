"""The contract for the families that need models of their own: discrete, by hand, annealed."""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from guide_families import few_draws, train
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer import Predictive, Trace_ELBO, TraceEnum_ELBO

from autoguide_core import AutoCallable, AutoDiscreteParallel, AutoNormal
from autoguide_core.guides.dais.semi import AutoSemiDAIS

DATA = torch.tensor([-1.0, 0.5, 2.0, 1.0], dtype=torch.float64)
ONE = torch.ones((), dtype=torch.float64)


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    few_draws(monkeypatch)


def discrete(index=None):
    pyro.sample("h.i", dist.OneHotCategorical(torch.tensor([0.2, 0.3, 0.5]).double()))
    pyro.sample("k", dist.Binomial(3, 0.4 * ONE))
    with pyro.plate("rows", 4, subsample=index) as i:
        z = pyro.sample("forward", dist.Bernoulli(0.3 * ONE))
        with poutine.mask(mask=(torch.arange(4) > 0)[i]):
            pyro.sample("m", dist.Categorical(torch.tensor([0.3, 0.7]).double()))
        pyro.sample("y", dist.Normal(z, ONE), obs=DATA[i])


def continuous(index=None):
    mu = pyro.sample("mu", dist.Normal(0 * ONE, ONE))
    with pyro.plate("rows", 4, subsample=index) as i:
        z = pyro.sample("z", dist.LogNormal(mu, ONE))
        pyro.sample("y", dist.Normal(z, ONE), obs=DATA[i])


def by_hand(index=None):
    loc = pyro.param("by_hand.loc", 0.1 * ONE)
    scale = pyro.param("by_hand.scale", 0.5 * ONE, constraint=constraints.positive)
    mu = pyro.sample("mu", dist.Normal(loc, scale))
    locs = pyro.param("by_hand.locs", lambda: torch.zeros(4).double(), event_dim=0)
    with pyro.plate("rows", 4, subsample=index) as i:
        z = pyro.sample("z", dist.LogNormal(locs[..., i], 0.3 * ONE))
    return {"mu": mu, "z": z}


def by_hand_median(index=None):
    locs = pyro.param("by_hand.locs").detach()
    return {"mu": pyro.param("by_hand.loc").detach(), "z": locs.exp()}


def semi(model):
    return AutoSemiDAIS(model, None, AutoNormal(poutine.block(model, expose=["mu"])), K=2)


@dataclass(frozen=True)
class Special:
    name: str
    make: Callable[[Any], Any]
    model: Callable[..., Any]
    shapes: dict[str, tuple[int, ...]]
    elbo: Any
    can_score: bool = True
    can_reload: bool = True

    def __str__(self):
        return self.name


ENUMERATED = TraceEnum_ELBO(max_plate_nesting=1)
FAMILIES = [
    Special(
        "discrete",
        AutoDiscreteParallel,
        discrete,
        {"h.i": (3,), "k": (), "forward": (4,), "m": (4,)},
        ENUMERATED,
    ),
    Special(
        "callable",
        lambda model: AutoCallable(model, by_hand, by_hand_median),
        continuous,
        {"mu": (), "z": (4,)},
        Trace_ELBO(),
    ),
    Special(
        "semi-dais",
        semi,
        continuous,
        {"mu": (), "z": (4,)},
        Trace_ELBO(),
        can_score=False,
        can_reload=False,
    ),
]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_results_have_the_shapes_and_dtypes_of_the_sites(family, monkeypatch):
    few_draws(monkeypatch, 3_000)
    guide = family.make(family.model)
    losses = train(family.model, guide, elbo=family.elbo)
    assert all(map(math.isfinite, losses))
    for name, shape in family.shapes.items():
        assert guide.median()[name].shape == shape
        assert guide.quantiles([0.1, 0.9])[name].shape == (2, *shape)
    draws = guide.posterior().sample(3000, seed=1)
    assert {name: tuple(value.shape[1:]) for name, value in draws.items()} == family.shapes
    expected = [value for _, value in sorted(guide().items())]
    assert [value.shape for value in guide.call()] == [value.shape for value in expected]
    for results in (guide.median(), guide.quantiles([0.3]), draws, dict(guide.named_parameters())):
        for name, value in results.items():
            assert value.dtype in (torch.float64, torch.long), name
    quantiles = guide.quantiles([0.2, 0.8])
    for name, values in draws.items():
        for level, at in zip([0.2, 0.8], quantiles[name], strict=True):
            assert ((values <= at).double().mean(0) > level - 0.05).all()
            assert ((values >= at).double().mean(0) > 1 - level - 0.05).all()
    data = guide.posterior().to_arviz(3, seed=1).posterior
    assert set(data.data_vars) == set(family.shapes)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_densities_of_draws_are_those_of_the_trace(family):
    guide = family.make(family.model)
    train(family.model, guide, elbo=family.elbo)
    posterior = guide.posterior()
    if not family.can_score:
        with pytest.raises(NotImplementedError):
            posterior.log_prob(posterior.sample(2))
        return
    trace = poutine.trace(guide).get_trace()
    trace.compute_log_prob()
    expected = sum(trace.nodes[name]["log_prob"].sum() for name in family.shapes)
    one = {name: trace.nodes[name]["value"].detach()[None] for name in family.shapes}
    assert posterior.log_prob(one).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_copies_files_and_states_keep_it(family):
    def draws_of(guide):
        pyro.set_rng_seed(7)
        return guide.sample_posterior(3)

    guide = family.make(family.model)
    train(family.model, guide, elbo=family.elbo)
    expected = draws_of(guide)
    torch.testing.assert_close(draws_of(copy.deepcopy(guide)), expected)
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    buffer.seek(0)
    state = {name: value.clone() for name, value in guide.state_dict().items()}
    if family.can_reload:
        torch.testing.assert_close(draws_of(pickle.loads(pickle.dumps(guide))), expected)
        loaded = torch.load(buffer, weights_only=False)
        torch.testing.assert_close(draws_of(loaded), expected)
    if family.name != "callable":  # whose parameters are Pyro's own
        pyro.clear_param_store()
        fresh = family.make(family.model)
        fresh.load_state_dict(state)
        fresh()
        torch.testing.assert_close(draws_of(fresh), expected)
        guide = fresh
    assert all(map(math.isfinite, train(family.model, guide, elbo=family.elbo)))


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_elbo_of_minibatches_is_right_in_expectation(family):
    batches = [torch.tensor(batch) for batch in ([0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3])]
    guide = family.make(family.model)
    guide(batches[2])
    train(family.model, guide, batches[0], steps=5, lr=0.1, elbo=family.elbo)
    count = 20_000 if family.can_score else 200
    vectorised = Trace_ELBO(num_particles=count, vectorize_particles=True, max_plate_nesting=1)
    elbo = ENUMERATED if family.name == "discrete" else vectorised

    def loss(index):
        pyro.set_rng_seed(5)
        with poutine.block():
            return elbo.loss(family.model, guide, index)

    full, parts = loss(torch.arange(4)), [loss(batch) for batch in batches]
    tolerance = 1e-6 if family.name == "discrete" else 0.2
    if family.can_score:
        assert sum(parts) / len(parts) == pytest.approx(full, abs=tolerance)
    assert max(parts) - min(parts) > 0.1
    assert guide.sample_posterior(2, torch.arange(4))[next(reversed(family.shapes))].shape == (2, 4)


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_predictive_draws_from_it(family, parallel):
    guide = family.make(family.model)
    train(family.model, guide, elbo=family.elbo)
    unobserved = poutine.uncondition(family.model)
    draws = Predictive(unobserved, guide=guide, num_samples=4, parallel=parallel)()
    assert draws["y"].shape == (4, 4)
