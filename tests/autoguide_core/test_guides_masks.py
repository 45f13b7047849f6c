"""Masked latents: left out where nothing hangs on them, under a flat prior where something does."""

from __future__ import annotations

from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO
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


def chosen(prior: Any, of_child: Any, then: Any = None) -> None:
    """Discrete choices, whose priors and children are masked."""
    loc = pyro.sample("loc", dist.Normal(torch.zeros(3), 1.0).to_event(1))
    with pyro.plate("rows", 3):
        with poutine.mask(mask=prior):
            infer = {"enumerate": "parallel"}
            z = pyro.sample("z", dist.Categorical(torch.tensor([0.2, 0.3, 0.5])), infer=infer)
        with poutine.mask(mask=of_child):
            pyro.sample("y", dist.Normal(loc[z], 1.0), obs=Y / 50)
        with pyro.plate("columns", 2, dim=-2), poutine.mask(mask=then is not None):
            pyro.sample("w", dist.Normal(loc[z], 1.0), obs=torch.ones(2, 1))


def first_steps(library: Any, model: Any, parts: dict[str, list[str]], elbo: Any) -> list[float]:
    pyro.clear_param_store()
    pyro.set_rng_seed(1)
    guide = library.AutoGuideList(model)
    for family, names in parts.items():
        guide.append(getattr(library, family)(poutine.block(model, expose=names)))
    if len(parts) == 1:
        guide = getattr(library, family)(model)
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), elbo)
    return [svi.step() for _ in range(5)]


@pytest.mark.parametrize("prior", [torch.tensor(False), torch.tensor([True, False, False])])
def test_discrete_choices_with_children_count_as_in_pyro(prior: Tensor) -> None:
    def model() -> None:
        chosen(prior, torch.tensor(True))

    parts = {"AutoNormal": ["loc"], "AutoDiscreteParallel": ["z"]}
    both = [
        first_steps(library, model, parts, TraceEnum_ELBO(max_plate_nesting=2))
        for library in (ours, stock)
    ]
    assert both[0] == pytest.approx(both[1], rel=1e-4)


@pytest.mark.parametrize(
    ("of_child", "then", "counts"),
    [
        (torch.tensor([True, True, False]), None, [True, True, False]),
        (torch.tensor(False), None, [True, False, False]),
        (torch.tensor(False), True, [True, True, True]),
    ],
)
def test_discrete_choices_without_children_are_left_out(
    of_child: Tensor, then: Any, counts: list[bool]
) -> None:
    def model() -> None:
        chosen(torch.tensor([True, False, False]), of_child, then)

    guide = ours.AutoGuideList(model)
    guide.append(ours.AutoNormal(poutine.block(model, expose=["loc"])))
    guide.append(ours.AutoDiscreteParallel(poutine.block(model, expose=["z"])))
    guide()
    mask = guide[1]._masks["z"].batch
    assert torch.as_tensor(True if mask is None else mask).expand(3).tolist() == counts


MESSENGERS = (
    "AutoNormalMessenger",
    "AutoHierarchicalNormalMessenger",
    "AutoRegressiveMessenger",
)


@pytest.mark.parametrize("family", MESSENGERS)
def test_messengers_leave_out_what_pyros_do(family: str) -> None:
    for model in (in_part, some_alone):
        both = [
            first_steps(library, model, {family: []}, Trace_ELBO()) for library in (ours, stock)
        ]
        assert both[0] == pytest.approx(both[1], rel=1e-4)


@pytest.mark.parametrize("family", MESSENGERS)
@pytest.mark.parametrize("is_part", [False, True])
def test_messengers_refuse_masked_priors_with_children(family: str, is_part: bool) -> None:
    guide = getattr(ours, family)(by_likelihood)
    if is_part:
        guide = ours.AutoGuideList(by_likelihood)
        guide.append(getattr(ours, family)(poutine.block(by_likelihood, expose=["rate"])))
        guide.append(ours.AutoNormal(poutine.block(by_likelihood, expose=["mu"])))
    with pytest.raises(ValueError, match=r"prior of site 'rate' is masked, .* Use AutoNormal"):
        guide()


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
