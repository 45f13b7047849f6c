"""Masked latents: left out where nothing hangs on them, under a flat prior where something does."""

from __future__ import annotations

from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.infer import autoguide as stock
from torch import Tensor

import autoguide_core as ours
from autoguide_core.guides.supports import SiteMask

Y = torch.tensor([49.0, 50.0, 51.0])
KEEP = torch.tensor([True, False])[:, None]
FAMILIES = (
    "AutoNormal",
    "AutoDiagonalNormal",
    "AutoMultivariateNormal",
    "AutoNoncenteredMultivariateNormal",
    "AutoLowRankMultivariateNormal",
    "AutoBatchedMultivariateNormal",
    "AutoBatchedLowRankMultivariateNormal",
    "AutoGaussian",
    "AutoStructured",
    "AutoIAFNormal",
    "AutoBNAFNormal",
)


def by_likelihood() -> None:
    """A prior that a mask takes away as a whole."""
    with poutine.mask(mask=torch.tensor(False)):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    rate = pyro.sample("rate", dist.LogNormal(0.0, 1.0).mask(False))
    with pyro.plate("data", 3):
        pyro.sample("y", dist.Normal(mu, rate), obs=Y)


def in_part() -> None:
    """Priors of some entries, all of which have children."""
    groups, data = pyro.plate("groups", 2, dim=-2), pyro.plate("data", 3, dim=-1)
    with groups:
        with poutine.mask(mask=KEEP):
            mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
            rate = pyro.sample("rate", dist.LogNormal(0.0, 1.0))
        with data:
            pyro.sample("y", dist.Normal(mu, rate), obs=Y.expand(2, 3))


def some_alone() -> None:
    """Of two masked entries one has a child."""
    with pyro.plate("entries", 3):
        with poutine.mask(mask=torch.tensor([True, False, False])):
            mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with poutine.mask(mask=torch.tensor([True, True, False])):
            pyro.sample("y", dist.Normal(mu, 1.0), obs=Y)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("model", [by_likelihood, in_part])
def test_the_entropy_counts_where_children_are_left(family: str, model: Any) -> None:
    guide = getattr(ours, family)(model)
    guide()
    of_guide = poutine.trace(guide).get_trace()
    of_model = poutine.trace(poutine.replay(model, of_guide)).get_trace()
    draw = {name: of_guide.nodes[name]["value"].detach()[None] for name in ("mu", "rate")}
    log_q = guide.posterior().log_prob(draw)[0].detach()
    torch.testing.assert_close(of_guide.log_prob_sum().detach(), log_q, rtol=1e-4, atol=1e-3)
    assert torch.isfinite(of_model.log_prob_sum())


def trained(library: Any, family: str) -> Tensor:
    pyro.clear_param_store()
    pyro.set_rng_seed(1)
    start = library.init_to_value(values={"mu": torch.tensor(48.0), "rate": torch.tensor(1.0)})
    guide = getattr(library, family)(by_likelihood, init_loc_fn=start)
    svi = SVI(
        by_likelihood, guide, pyro.optim.ClippedAdam({"lr": 0.05, "lrd": 0.985}), Trace_ELBO()
    )
    for _ in range(200):
        svi.step()
    median: Tensor = guide.median()["mu"]
    return median


@pytest.mark.parametrize("family", ["AutoNormal", "AutoMultivariateNormal"])
def test_estimates_by_likelihood_are_those_of_pyro(family: str) -> None:
    found = float(trained(ours, family))
    assert found == pytest.approx(float(trained(stock, family)), abs=0.1)
    assert found == pytest.approx(50.0, abs=1.0)


def test_entries_are_told_apart_where_that_can_be() -> None:
    guide = ours.AutoDiagonalNormal(some_alone)
    guide()
    mask = guide._masks["mu"]
    assert isinstance(mask.batch, Tensor)
    assert mask.batch.tolist() == [True, True, False]
    guide = ours.AutoNormal(by_likelihood)
    guide()
    assert guide._masks == {"mu": SiteMask(), "rate": SiteMask()}

    def in_minibatches() -> None:
        with pyro.plate("rows", 6, subsample_size=3):
            mu = pyro.sample("mu", dist.Normal(0.0, 1.0).mask(torch.tensor([True, False, False])))
            with poutine.mask(mask=torch.tensor([True, True, False])):
                pyro.sample("y", dist.Normal(mu, 1.0), obs=Y)

    with pytest.raises(ValueError, match=r"Site 'mu' is masked in part.*plate 'rows'"):
        ours.AutoNormal(in_minibatches)()
