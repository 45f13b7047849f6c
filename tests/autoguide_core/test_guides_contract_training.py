"""What every family of guides must do in training: each ELBO, dtype and handler of Pyro."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from guide_families import FAMILIES, few_draws, pair, train
from pyro import poutine
from pyro.infer import (
    SVI,
    JitTrace_ELBO,
    Predictive,
    RenyiELBO,
    Trace_ELBO,
    TraceEnum_ELBO,
    TraceGraph_ELBO,
    TraceMeanField_ELBO,
)
from pyro.optim import Adam

from autoguide_core import AutoGuideList
from autoguide_core.guides.dais.guide import AutoDAIS

NAMES = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    few_draws(monkeypatch)


def is_messenger(guide) -> bool:
    return isinstance(guide, poutine.messenger.Messenger)


# --- ELBOs ---

ELBOS = [
    Trace_ELBO(num_particles=3, vectorize_particles=True, max_plate_nesting=2),
    Trace_ELBO(num_particles=2),
    TraceMeanField_ELBO(),
    TraceGraph_ELBO(),
    RenyiELBO(alpha=0.5, num_particles=2),
    RenyiELBO(alpha=0.5, num_particles=3, vectorize_particles=True, max_plate_nesting=1),
]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_every_elbo_can_train_it(family):
    guide = family.make(pair)
    guide()
    before = [parameter.detach().clone() for parameter in guide.parameters()]
    for elbo in ELBOS:
        assert all(map(math.isfinite, train(pair, guide, steps=1, elbo=elbo)))
    after = list(guide.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("family", [f for f in FAMILIES if f.can_jit], ids=str)
def test_the_compiled_elbo_is_the_elbo(family):
    guide = family.make(pair)
    guide()
    elbo = JitTrace_ELBO(ignore_jit_warnings=True)
    svi = SVI(pair, guide, Adam({"lr": 0.01}), elbo)
    svi.step()  # compiles
    losses = []
    for kind in (elbo, Trace_ELBO()):
        pyro.set_rng_seed(3)
        losses.append(kind.differentiable_loss(pair, guide).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert all(math.isfinite(svi.step()) for _ in range(2))


def mixture():
    a = pyro.sample("a", dist.Normal(torch.zeros(2), 1.0).to_event(1)).sum(-1)
    with pyro.plate("rows", 2):
        z = pyro.sample("z", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
        pyro.sample("y", dist.Normal(a + z, 1.0), obs=torch.tensor([0.0, 1.0]))


@pytest.mark.filterwarnings("ignore:No part of the AutoGuideList")
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_sites_may_be_summed_out_in_the_model(family):
    guide = family.make(poutine.block(mixture, hide=["z"]))
    if is_messenger(guide):  # it would draw what its run meets: the list makes it keep to its part
        guide = AutoGuideList(mixture)
        guide.append(family.make(poutine.block(mixture, hide=["z"])))
    elbo = TraceEnum_ELBO(max_plate_nesting=1)
    if isinstance(guide, AutoDAIS):
        with pytest.warns(UserWarning, match="differs from run to run"):
            guide()
        whole = AutoGuideList(mixture)
        whole.append(family.make(poutine.block(mixture, hide=["z"])))
        with pytest.raises(ValueError, match=r"'z'.*enumerated"):
            train(mixture, whole, elbo=elbo)
        return
    assert all(map(math.isfinite, train(mixture, guide, elbo=elbo)))
    assert guide.median().keys() == {"a"}


# --- Dtypes ---


def double():
    zero = torch.zeros((), dtype=torch.float64)
    a = pyro.sample("a", dist.Normal(zero, 1.0))
    b = pyro.sample("b", dist.LogNormal(zero.expand(3), 1.0).to_event(1))
    p = pyro.sample("p", dist.Dirichlet(zero.new_ones(3)))
    with pyro.plate("rows", 2):
        c = pyro.sample("c", dist.Normal(a, zero + 1))
        d = pyro.sample("d", dist.Uniform(zero, zero + 2))
        loc = c + b.sum(-1) + p[..., 0] + d
        pyro.sample("obs", dist.Normal(loc, zero + 1), obs=zero.expand(2))


def assert_double(results):
    for name, value in results.items():
        assert value.dtype == torch.float64, name


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_a_double_precision_model_stays_so_wherever_a_tensor_is_made(family):
    guide = family.make(double)
    train(double, guide)
    vectorised = Trace_ELBO(num_particles=2, vectorize_particles=True, max_plate_nesting=1)
    train(double, guide, elbo=vectorised)
    for parameter in guide.parameters():
        assert parameter.dtype == torch.float64
    trace = poutine.trace(guide).get_trace()
    trace.compute_log_prob()
    for name, site in trace.nodes.items():
        if site["type"] == "sample" and site["value"].is_floating_point():
            assert site["value"].dtype == torch.float64, name
            assert site["log_prob"].dtype == torch.float64 or not site["log_prob"].any(), name
    assert_double(guide.median())
    assert_double(guide.quantiles([0.1, 0.9]))
    draws = guide.sample_posterior(3)
    assert_double(draws)
    if family.can_score:
        score = guide.posterior().log_prob(draws)
        assert score.shape == (3,)
        assert score.dtype == torch.float64


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_default_dtype_may_be_double(family):
    torch.set_default_dtype(torch.float64)
    try:
        guide = family.make(pair)
        train(pair, guide)
        assert_double(guide.median())
        assert_double(guide.quantiles([0.5]))
        assert_double(guide.sample_posterior(2))
    finally:
        torch.set_default_dtype(torch.float32)


# --- Handlers ---


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_predictive_draws_from_it(family, parallel):
    guide = family.make(pair)
    train(pair, guide)
    unobserved = poutine.uncondition(pair)
    draws = Predictive(unobserved, guide=guide, num_samples=4, parallel=parallel)()
    assert draws["obs"].shape == (4, 2)
    draws = Predictive(pair, guide=guide, num_samples=4, parallel=parallel, return_sites=NAMES)()
    assert {name: draws[name].squeeze().shape for name in NAMES} == {
        "a": (4,),
        "b": (4, 3),
        "c": (4, 2),
    }


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_handlers_act_on_it(family):
    guide = family.make(pair)
    guide()
    reference = poutine.trace(poutine.seed(guide, 5)).get_trace()
    again = poutine.trace(poutine.seed(guide, 5)).get_trace()
    for name in NAMES:
        assert torch.equal(reference.nodes[name]["value"], again.nodes[name]["value"])
    plain = latent_log_prob(reference)
    scaled = poutine.trace(poutine.seed(poutine.scale(guide, scale=2.0), 5)).get_trace()
    assert latent_log_prob(scaled) == pytest.approx(2 * plain, rel=1e-5)
    masked = poutine.trace(poutine.seed(poutine.mask(guide, mask=False), 5)).get_trace()
    assert latent_log_prob(masked) == 0
    hidden = poutine.trace(poutine.block(guide, hide=["b"])).get_trace()
    assert "b" not in hidden.nodes
    assert "a" in hidden.nodes
    given = poutine.condition(guide, data={"a": torch.tensor(7.0)})
    assert poutine.trace(given).get_trace().nodes["a"]["value"] == 7
    replayed = poutine.trace(poutine.replay(guide, trace=reference)).get_trace()
    for name in NAMES:
        assert torch.equal(reference.nodes[name]["value"], replayed.nodes[name]["value"])


def latent_log_prob(trace) -> float:
    trace.compute_log_prob()
    return sum(trace.nodes[name]["log_prob"].sum().item() for name in trace.stochastic_nodes)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_parameters_may_be_local_to_the_module(family):
    with pyro.settings.context(module_local_params=True):
        guide, elbo = family.make(pair), Trace_ELBO()
        guide()
        optim = torch.optim.Adam(guide.parameters(), lr=0.01)
        before = [parameter.detach().clone() for parameter in guide.parameters()]
        for _ in range(2):
            optim.zero_grad()
            elbo.differentiable_loss(pair, guide).backward()
            optim.step()
        moved = [not torch.equal(a, b) for a, b in zip(before, guide.parameters(), strict=True)]
        assert any(moved)
        assert not list(pyro.get_param_store())
        other = family.make(pair)
        other()
        optim.zero_grad()
        elbo.differentiable_loss(pair, other).backward()
        assert all(p.grad is None or not p.grad.any() for p in guide.parameters())


# --- Divergence ---


def spoilt(power=1.0):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.HalfNormal(torch.ones(2)).to_event(1))
    pyro.sample("y", dist.Normal(a * (b - b).abs().sum(-1) ** power, 1.0), obs=torch.tensor(0.5))


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_a_gradient_that_is_not_a_number_is_told_before_the_step(family):
    guide = family.make(spoilt)
    svi = SVI(spoilt, guide, Adam({"lr": 0.1}), Trace_ELBO())
    svi.step()
    before = {name: value.clone() for name, value in guide.state_dict().items()}
    with pytest.raises(ValueError, match=r"site 'b'.*explain_loss"):
        svi.step(power=0.5)
    assert all(torch.equal(guide.state_dict()[name], value) for name, value in before.items())
    svi.step()
    with torch.no_grad():
        for parameter in guide.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(ValueError, match=r"sites? '[ab]'"):
        guide()
