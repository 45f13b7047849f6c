"""A guide as a distribution: draws, their densities, and ArviZ."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from autoguide_core import (
    AutoDelta,
    AutoDiagonalNormal,
    AutoGuideList,
    AutoIAFNormal,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
)
from autoguide_core.posterior.guide_draws import draw_guide


def model():
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b.c", dist.LogNormal(torch.zeros(3), 1.0).to_event(1))
    pyro.sample("p", dist.Dirichlet(torch.ones(3)))
    with pyro.plate("group", 4):
        pyro.sample("c", dist.Uniform(0.0, 2.0).expand([2]).to_event(1))
    pyro.sample("L", dist.LKJCholesky(3, 1.0))
    pyro.sample("y", dist.Normal(a, b.sum(-1)), obs=torch.tensor(1.0))


def in_parts(model):
    guide = AutoGuideList(model)
    guide.append(AutoNormal(poutine.block(model, expose=["a", "c"])))
    guide.append(AutoMultivariateNormal(poutine.block(model, hide=["a", "c", "L"])))

    def by_hand():
        pyro.sample("L", dist.LKJCholesky(3, 2.0))

    guide.append(by_hand)
    return guide


FAMILIES = [
    AutoNormal,
    AutoDelta,
    AutoDiagonalNormal,
    AutoMultivariateNormal,
    AutoLowRankMultivariateNormal,
    AutoIAFNormal,
    in_parts,
]


@pytest.mark.filterwarnings("ignore:No part of the AutoGuideList")
@pytest.mark.parametrize("family", FAMILIES)
def test_densities_of_draws_are_those_of_the_guide_s_trace(family):
    guide = family(model)
    guide()
    with torch.no_grad():
        for parameter in guide.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        draws, log_q = draw_guide(guide, model, (), {}, 6)
    log_prob = guide.posterior().log_prob(draws)
    torch.testing.assert_close(log_prob.double(), log_q, rtol=1e-4, atol=1e-4)
    if family is AutoDelta:
        draws["a"] = draws["a"] + 1e-3 * (torch.arange(6) == 2)
        assert guide.posterior().log_prob(draws).isneginf().tolist() == [i == 2 for i in range(6)]


def test_densities_follow_supports_that_move():
    def moving():
        a = pyro.sample("a", dist.Uniform(0.0, 1.0))
        with pyro.plate("group", 3):
            pyro.sample("b", dist.Uniform(0.0, 1.0 - a))

    guide = AutoNormal(moving)
    traces = [poutine.trace(guide).get_trace() for _ in range(5)]
    draws = {name: torch.stack([t.nodes[name]["value"] for t in traces]) for name in ("a", "b")}
    expected = torch.stack([trace.log_prob_sum() for trace in traces])
    torch.testing.assert_close(guide.posterior().log_prob(draws), expected.detach())


def test_draws_have_a_seed_of_their_own():
    posterior = AutoNormal(model).posterior()
    state = torch.get_rng_state()
    first, second = posterior.sample(3, seed=1), posterior.sample(3, seed=1)
    assert (torch.get_rng_state() == state).all()
    assert all((first[name] == second[name]).all() for name in first)
    assert (posterior.sample(3)["a"] != first["a"]).all()
    with pytest.raises(ValueError, match="num_samples=0"):
        posterior.sample(0)


def test_arviz_gets_plates_as_dims():
    data = AutoNormal(model).posterior().to_arviz(20, seed=1)
    assert dict(data.posterior.sizes)["group"] == 4
    assert data.posterior["c"].dims == ("chain", "draw", "group", "c_dim_1")
    assert data.posterior["b.c"].dims == ("chain", "draw", "b.c_dim_0")
    assert data.posterior["L"].shape == (1, 20, 3, 3)
    assert data.posterior.attrs["guide"] == "AutoNormal"


def test_draws_that_do_not_fit_are_told():
    posterior = AutoNormal(model).posterior()
    draws = posterior.sample(4)
    with pytest.raises(ValueError, match="no site 'p'"):
        posterior.log_prob({name: value for name, value in draws.items() if name != "p"})
    with pytest.raises(ValueError, match=r"'c' have shape \(4, 2\).*\(4, 2\)"):
        posterior.log_prob(draws | {"c": draws["c"][:, 0]})
    with pytest.raises(ValueError, match="as many draws"):
        posterior.log_prob(draws | {"a": draws["a"][:2]})
