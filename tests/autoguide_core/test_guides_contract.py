"""What every family of guides must do: values, medians, quantiles, draws and their densities."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from guide_families import FAMILIES, NAMES, SHAPES, few_draws, oddly_named, perturb, shapes, train
from pyro import poutine

from autoguide_core import AutoStructured

LEVELS = [0.1, 0.5, 0.9]


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    few_draws(monkeypatch)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_results_have_the_shapes_of_the_sites(family):
    guide = family.make(shapes)
    train(shapes, guide)
    by_name = guide()
    assert {name: tuple(by_name[name].shape) for name in SHAPES} == SHAPES
    medians = guide.posterior().median()
    assert {name: tuple(value.shape) for name, value in medians.items()} == SHAPES
    assert not any(value.requires_grad for value in medians.values())
    assert not any(value.requires_grad for value in guide.sample_posterior(2).values())
    quantiles = guide.quantiles(LEVELS)
    assert {name: tuple(value.shape) for name, value in quantiles.items()} == {
        name: (3, *shape) for name, shape in SHAPES.items()
    }
    posterior = guide.posterior()
    draws = posterior.sample(5, seed=1)
    assert {name: tuple(value.shape) for name, value in draws.items()} == {
        name: (5, *shape) for name, shape in SHAPES.items()
    }
    prototype = guide.prototype_trace.nodes
    for result in (medians, draws):
        for name, value in result.items():
            if family.name != "dais" or result is draws:  # medians are taken entry by entry
                assert prototype[name]["fn"].support.check(value).all(), name
    data = posterior.to_arviz(4, seed=1).posterior
    assert data["d"].dims == ("chain", "draw", "outer", "inner", "d_dim_2")
    assert data["c"].shape == (1, 4, 2, 1)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_values_are_called_in_the_order_of_their_names(family):
    guide = family.make(oddly_named)
    train(oddly_named, guide)
    assert list(guide.median()) == list(guide.sample_posterior(2)) == NAMES
    state = torch.get_rng_state()
    expected = [value for _, value in sorted(guide().items())]
    torch.set_rng_state(state)
    assert all(map(torch.equal, guide.call(), expected))


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_quantiles_are_those_of_the_draws(family, monkeypatch):
    few_draws(monkeypatch, 2_000)
    guide = family.make(shapes)
    guide()
    perturb(guide)
    draws, quantiles = guide.sample_posterior(2000), guide.quantiles(LEVELS)
    for name, values in draws.items():
        for level, quantile in zip(LEVELS, quantiles[name], strict=True):
            if family.is_point:
                torch.testing.assert_close(values[0], quantile)
            above, below = (
                (values >= quantile).float().mean(0),
                (values <= quantile).float().mean(0),
            )
            assert (below > level - 0.05).all(), name
            assert (above > 1 - level - 0.05).all(), name


def traced(guide, num_draws=6):
    """Draws of a guide, and their log densities by the guide's own traces."""
    draws, log_q = [], []
    for _ in range(num_draws):
        with torch.no_grad():
            trace = poutine.trace(guide).get_trace()
            trace.compute_log_prob()
        latent = [trace.nodes[name] for name in trace.stochastic_nodes]
        log_q.append(sum(site["log_prob"].double().sum() for site in latent))
        draws.append({name: trace.nodes[name]["value"] for name in SHAPES})
    return {name: torch.stack([d[name] for d in draws]) for name in SHAPES}, torch.stack(log_q)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_densities_of_draws_are_those_of_the_trace(family):
    guide = family.make(shapes)
    guide()
    perturb(guide)
    posterior = guide.posterior()
    if not family.can_score:
        with pytest.raises(NotImplementedError, match=r"density|closed form"):
            posterior.log_prob(posterior.sample(3))
        return
    if family.is_point:
        draws = posterior.sample(3)
        assert posterior.log_prob(draws).tolist() == [0.0] * 3
        draws["a"] = draws["a"] + 1e-3 * (torch.arange(3) == 1)
        assert posterior.log_prob(draws).isneginf().tolist() == [False, True, False]
        return
    draws, log_q = traced(guide)
    torch.testing.assert_close(posterior.log_prob(draws).double(), log_q, rtol=1e-3, atol=2e-3)


UNIT = dist.TransformedDistribution(
    dist.Normal(0.0, 0.8), torch.distributions.transforms.SigmoidTransform()
)


def conjugate():
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    pyro.sample("b", dist.LogNormal(0.0, 0.8))
    with pyro.plate("rows", 2):
        pyro.sample("c", UNIT)
    pyro.sample("y", dist.Normal(a, 1.0), obs=torch.tensor(1.0))


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.scaled and f.can_score], ids=str)
def test_weights_average_to_the_evidence(family):
    guide = family.scaled(conjugate)
    guide()
    posterior = guide.posterior()
    draws = posterior.sample(4000)
    log_p = dist.Normal(0.0, 1.0).log_prob(draws["a"])
    log_p = log_p + dist.LogNormal(0.0, 0.8).log_prob(draws["b"])
    log_p = log_p + UNIT.log_prob(draws["c"]).sum(-1)
    log_p = log_p + dist.Normal(draws["a"], 1.0).log_prob(torch.tensor(1.0))
    weights = (log_p - posterior.log_prob(draws)).exp()
    error = weights.std() / len(weights) ** 0.5
    evidence = math.exp(dist.Normal(0.0, 2**0.5).log_prob(torch.tensor(1.0)))
    assert float(error) < 0.1 * evidence
    assert abs(float(weights.mean()) - evidence) < 4 * float(error)


def test_a_structured_guide_scores_points_among_its_sites():
    kinds = dict.fromkeys(SHAPES, "normal") | {"d": "delta", "a": "delta"}
    guide = AutoStructured(shapes, conditionals=kinds)
    guide()
    perturb(guide)
    draws, log_q = traced(guide)
    log_prob = guide.posterior().log_prob(draws)
    torch.testing.assert_close(log_prob.double(), log_q, rtol=1e-3, atol=2e-3)
    draws["d"] = draws["d"] * 0.9
    assert guide.posterior().log_prob(draws).isneginf().all()
