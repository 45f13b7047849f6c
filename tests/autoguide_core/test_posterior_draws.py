"""Draws: shapes, densities, deterministic values, and enumerated variables on request."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from autoguide_core import AutoNormal, Draws, draw_posterior
from autoguide_core.engine.structure import Model

Y = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])


def nested() -> None:
    top = pyro.sample("top", dist.Normal(0.0, 1.0))
    pyro.sample("vector", dist.Dirichlet(torch.ones(3)))
    with pyro.plate("rows", 2, dim=-2):
        row = pyro.sample("row", dist.Normal(top, 1.0))
        with pyro.plate("columns", 3, dim=-1):
            cell = pyro.sample("cell", dist.LogNormal(row, 1.0))
            pyro.deterministic("double", 2.0 * cell)
            pyro.sample("y", dist.Normal(cell, 1.0), obs=Y)
    pyro.deterministic("total", cell.sum())


def mixed() -> None:
    p = pyro.sample("p", dist.Beta(5.0, 5.0))
    with pyro.plate("data", 3):
        k = pyro.sample("k", dist.Bernoulli(p), infer={"enumerate": "parallel"})
        pyro.deterministic("level", 10.0 * k)
        pyro.sample("y", dist.Normal(10.0 * k, 1.0), obs=torch.tensor([0.0, 10.0, 0.0]))
    pyro.deterministic("odds", p / (1.0 - p))


def log_joint(draws: Draws, index: int) -> float:
    data = {n: draws.sites[n][index].double() for n in draws.latents}
    trace = poutine.trace(poutine.condition(nested, data=data)).get_trace()
    return float(trace.log_prob_sum())


def test_sites_have_the_shapes_of_a_single_run() -> None:
    draws = draw_posterior(AutoNormal(nested), nested, num_draws=7)
    assert {n: tuple(v.shape) for n, v in draws.sites.items()} == {
        "top": (7,),
        "vector": (7, 3),
        "row": (7, 2, 1),
        "cell": (7, 2, 3),
        "double": (7, 2, 3),
        "total": (7,),
    }
    assert draws.latents == ("top", "vector", "row", "cell")
    assert draws.deterministics == ("double", "total")
    assert torch.allclose(draws.sites["double"], 2.0 * draws.sites["cell"])
    assert torch.allclose(draws.sites["total"], draws.sites["cell"].sum((-1, -2)))


def test_densities_are_those_of_single_runs() -> None:
    guide = AutoNormal(nested)
    draws = draw_posterior(guide, nested, num_draws=5)
    assert draws.log_p is not None
    assert draws.log_p.dtype == torch.float64
    assert torch.equal(draws.log_weights, draws.log_p - draws.log_q)
    for index in range(5):
        assert float(draws.log_p[index]) == pytest.approx(log_joint(draws, index), rel=1e-5)
    assert draws.log_q.shape == (5,)
    assert float(draws.log_q.std()) > 0.0


def test_model_without_plates_is_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def model() -> None:
        pyro.sample("y", dist.Normal(pyro.sample("a", dist.Normal(0.0, 1.0)), 1.0), obs=Y[0, 0])

    monkeypatch.setattr("autoguide_core.posterior.guide_draws._one_by_one", None)
    assert draw_posterior(AutoNormal(model), model, num_draws=9).sites["a"].shape == (9,)


def test_guide_that_does_not_broadcast_is_drawn_one_by_one() -> None:
    def model() -> None:
        pyro.sample("a", dist.Normal(torch.zeros(2), 1.0).to_event(1))

    def guide() -> None:
        x = pyro.sample("x", dist.Normal(0.0, 1.0), infer={"is_auxiliary": True})
        pyro.sample("a", dist.Delta(torch.stack([x, -x]).reshape(2), event_dim=1))

    draws = draw_posterior(guide, model, num_draws=4)
    assert draws.sites["a"].shape == (4, 2)
    assert torch.equal(draws.sites["a"][:, 0], -draws.sites["a"][:, 1])
    expected = dist.Normal(0.0, 1.0).log_prob(draws.sites["a"][:, 0]).double()
    assert torch.allclose(draws.log_q, expected)


def test_model_that_branches_is_replayed_one_by_one() -> None:
    def model() -> None:
        a = pyro.sample("a", dist.Normal(0.0, 1.0))
        pyro.deterministic("sign", torch.ones(()) if float(a) > 0 else -torch.ones(()))

    draws = draw_posterior(AutoNormal(model), model, num_draws=20)
    assert torch.equal(draws.sites["sign"], draws.sites["a"].sign())


def test_enumerated_variables_are_left_out_or_drawn() -> None:
    guide = AutoNormal(poutine.block(mixed, expose=["p"]))
    draws = draw_posterior(guide, mixed, num_draws=6)
    assert set(draws.sites) == {"p", "odds"}
    assert "'level' depends on summed-out variables (k)" in draws.notes[0]
    drawn = draw_posterior(guide, mixed, num_draws=6, discrete=True)
    assert torch.equal(drawn.sites["k"], torch.tensor([[0.0, 1.0, 0.0]]).expand(6, 3))
    assert torch.equal(drawn.sites["level"], 10.0 * drawn.sites["k"])
    assert drawn.latents == ("p", "k")
    assert drawn.notes == ()
    p = drawn.sites["p"].double()
    normal = dist.Normal(0.0, 1.0).log_prob(torch.tensor(0.0, dtype=torch.float64))
    expected = dist.Beta(5.0, 5.0).log_prob(p) + p.log() + 2.0 * (1.0 - p).log() + 3.0 * normal
    assert drawn.log_p is not None
    assert torch.allclose(drawn.log_p, expected)


def ordinal() -> None:
    cuts = pyro.sample("cuts", dist.LogNormal(0.0, 1.0).expand([2]).to_event(1)).cumsum(-1)
    with pyro.plate("data", 3):
        pyro.sample("y", dist.OrderedLogistic(Y[0], cuts), obs=torch.tensor([0, 1, 2]))


def inflated() -> None:
    gate = pyro.sample("gate", dist.Beta(2.0, 2.0))
    with pyro.plate("data", 3):
        pyro.sample("y", dist.ZeroInflatedPoisson(2.0, gate=gate), obs=Y[0])


@pytest.mark.parametrize("model", [ordinal, inflated])
def test_densities_of_distributions_that_are_awkward_to_vectorise(model: Model) -> None:
    name = "cuts" if model is ordinal else "gate"
    draws = draw_posterior(AutoNormal(model), model, num_draws=5)
    assert draws.log_p is not None
    for value, log_p in zip(draws.sites[name].double(), draws.log_p, strict=True):
        trace = poutine.trace(poutine.condition(model, data={name: value})).get_trace()
        assert float(log_p) == pytest.approx(float(trace.log_prob_sum()), abs=1e-5)


def test_a_guide_that_mixes_draws_is_drawn_from_one_by_one() -> None:
    def model() -> None:
        u = pyro.sample("u", dist.Normal(0.0, 1.0).expand([3]).to_event(1))
        pyro.sample("z", dist.Normal(u.sum(), 1.0))

    def guide() -> None:
        u = pyro.sample("u", dist.Normal(0.0, 1.0).expand([3]).to_event(1))
        pyro.sample("z", dist.Normal(u.sum(), 0.01))

    draws = draw_posterior(guide, model, num_draws=50).sites
    torch.testing.assert_close(draws["z"], draws["u"].sum(-1), atol=0.1, rtol=0.0)
