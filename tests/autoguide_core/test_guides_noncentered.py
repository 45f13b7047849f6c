"""`AutoNoncenteredMultivariateNormal`: exact where the model is Normal given the parents."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO
from pyro.ops.indexing import Vindex

from autoguide_core import (
    AutoGuideList,
    AutoMultivariateNormal,
    AutoNoncenteredMultivariateNormal,
    AutoNormal,
    FitSettings,
    fit,
    init_to_value,
)

EFFECT = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def standard(guide, *args):
    """Make the Normal of a guide the standard one."""
    guide(*args)
    with torch.no_grad():
        guide.loc.zero_()
        guide.scale = torch.ones_like(guide.loc)
    return guide


def nested(one):
    mu = pyro.sample("mu", dist.Normal(0 * one, one))
    tau = pyro.sample("tau", dist.LogNormal(0 * one, one))
    outer, inner = pyro.plate("outer", 2, dim=-2), pyro.plate("inner", 3, dim=-1)
    factor = torch.tensor([[1.0, 0.0], [0.6, 0.5]]).to(one) * tau[..., None, None]
    pyro.sample("pair", dist.MultivariateNormal(mu[..., None] * torch.ones(2), scale_tril=factor))
    with outer:
        middle = pyro.sample("middle", dist.Normal(mu, tau))
        slopes = pyro.sample(
            "slopes", dist.Normal(middle[..., None] * one.expand(2), one).to_event(1)
        )
        with inner:
            leaf = pyro.sample("leaf", dist.LogNormal(middle, 1.0 / (1.0 + tau)))
            pyro.sample(
                "root", dist.MultivariateNormal(slopes + leaf[..., None], torch.eye(2).to(one))
            )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_at_standard_numbers_it_is_the_prior(dtype):
    one = torch.ones((), dtype=dtype)
    guide = standard(AutoNoncenteredMultivariateNormal(nested), one)
    assert set(guide.parents) == {"pair", "middle", "slopes", "leaf", "root"}
    assert guide.parents["root"] == {"slopes", "leaf"}
    draws = guide.posterior(one).sample(50)
    assert {value.dtype for value in draws.values()} == {dtype}
    log_q = guide.posterior(one).log_prob(draws)
    for index in range(50):
        at = {name: value[index] for name, value in draws.items()}
        trace = poutine.trace(poutine.condition(nested, at)).get_trace(one)
        torch.testing.assert_close(log_q[index], trace.log_prob_sum(), rtol=1e-3, atol=1e-3)
    elbo = Trace_ELBO(4, vectorize_particles=True, max_plate_nesting=2)
    assert elbo.loss(nested, guide, one) == pytest.approx(0.0, abs=1e-3)


def schools(effect=EFFECT):
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.LogNormal(1.0, 1.0))
    with pyro.plate("school", 8):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, ERROR), obs=effect)


def test_with_knowledge_it_is_the_posterior_given_the_parents():
    guide = standard(AutoNoncenteredMultivariateNormal(schools))
    guide.knowledge[0, 2:] = ERROR**-2
    guide.knowledge[1, 2:] = EFFECT * ERROR**-2
    draws = guide.sample_posterior(20)
    free = torch.stack([draws["mu"], draws["tau"].log()], -1)
    expected = dist.Normal(0.0, 1.0).log_prob(free).sum(-1) - free[:, 1]
    mu, tau = draws["mu"][:, None], draws["tau"][:, None]
    variance = 1.0 / (tau**-2 + ERROR**-2)
    posterior = dist.Normal(variance * (mu / tau**2 + EFFECT / ERROR**2), variance.sqrt())
    expected = expected + posterior.log_prob(draws["theta"]).sum(-1)
    torch.testing.assert_close(guide.posterior().log_prob(draws), expected, atol=1e-3, rtol=1e-3)
    # A saved state has it, too.
    twin = AutoNoncenteredMultivariateNormal(schools)
    twin.load_state_dict(guide.state_dict())
    twin()
    torch.testing.assert_close(twin.knowledge, guide.knowledge)


def test_it_starts_where_it_is_told():
    values = {"mu": torch.tensor(2.0), "tau": torch.tensor(3.0), "theta": EFFECT}

    def made(family, *names):
        start = init_to_value(values={name: values[name] for name in names})
        part = poutine.block(schools, expose=names)
        return family(part, init_loc_fn=start, init_scale=1e-5)

    parts = AutoGuideList(schools)
    parts.append(made(AutoNormal, "mu", "tau"))
    parts.append(made(AutoNoncenteredMultivariateNormal, "theta"))
    for guide in (made(AutoNoncenteredMultivariateNormal, *values), parts):
        for name, value in guide().items():
            torch.testing.assert_close(value, values[name], atol=1e-2, rtol=1e-3)


def test_a_part_follows_those_above_it():
    guide = AutoGuideList(schools)
    above = AutoNormal(poutine.block(schools, expose=["mu", "tau"]), init_scale=1.0)
    below = AutoNoncenteredMultivariateNormal(
        poutine.block(schools, expose=["theta"]), init_scale=1e-3
    )
    guide.append(above)
    guide.append(below)
    guide()
    for draws in (guide.sample_posterior(100), below.posterior().sample(100)):
        assert draws["theta"].shape == (100, 8)
    draws = guide.posterior().sample(100)
    together = (draws["theta"] - draws["mu"][:, None]) / draws["tau"][:, None]
    assert float(together.std(0).max()) < 2e-3
    assert float(draws["theta"].std(0).min()) > 0.5
    trace = poutine.trace(guide).get_trace()
    one = {name: trace.nodes[name]["value"].detach()[None] for name in draws}
    log_q = trace.log_prob_sum()
    torch.testing.assert_close(guide.posterior().log_prob(one)[0], log_q, atol=1e-3, rtol=1e-4)
    quantiles = guide.quantiles([0.1, 0.9])["theta"]
    torch.testing.assert_close(guide.median()["theta"], draws["theta"].median(0)[0], atol=1, rtol=1)
    assert bool((quantiles[1] > quantiles[0]).all())

    turned = AutoGuideList(schools)
    turned.append(AutoNoncenteredMultivariateNormal(poutine.block(schools, expose=["theta"])))
    turned.append(AutoNormal(poutine.block(schools, expose=["mu", "tau"])))
    with pytest.raises(ValueError, match="prior of site 'theta' depends on site 'mu', which no"):
        turned()


def test_masked_entries_settle_at_standard_numbers():
    def masked():
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("rows", 3), poutine.mask(mask=torch.tensor([True, False, True])):
            pyro.sample("x", dist.Normal(mu, 4.0))

    guide = standard(AutoNoncenteredMultivariateNormal(masked))
    for _ in range(5):
        assert Trace_ELBO().loss(masked, guide) == pytest.approx(0.0, abs=1e-4)


def test_a_moving_support_is_read_in_the_same_run():
    def model():
        a = pyro.sample("a", dist.Beta(2.0, 2.0))
        b = pyro.sample("b", dist.Uniform(0.0, 1.0 - a))
        pyro.sample("x", dist.Normal(b, a))

    guide = AutoNoncenteredMultivariateNormal(model, init_scale=1.0)
    draws = guide.posterior().sample(200)
    assert bool((draws["b"] < 1.0 - draws["a"]).all())
    trace = poutine.trace(guide).get_trace()
    one = {name: trace.nodes[name]["value"].detach()[None] for name in draws}
    torch.testing.assert_close(guide.posterior().log_prob(one)[0], trace.log_prob_sum())
    assert guide.median()["b"] < 1.0


def test_what_follows_a_discrete_latent_is_as_the_model_draws_it():
    def mixture():
        mu = pyro.sample("mu", dist.Normal(torch.zeros(2), 1.0).to_event(1))
        z = pyro.sample("z", dist.Categorical(torch.ones(2)))
        pyro.sample("x", dist.Normal(Vindex(mu)[..., z], 1.0))
        pyro.sample("free", dist.Normal(mu[..., 1], 1.0))

    summed = poutine.infer_config(
        mixture, lambda site: {"enumerate": "parallel"} if site["name"] == "z" else {}
    )
    part = AutoNoncenteredMultivariateNormal(poutine.block(summed, hide=["z"]))
    guide = AutoGuideList(summed)
    guide.append(part)
    alone = AutoNoncenteredMultivariateNormal(poutine.block(summed, hide=["z"]))
    for one in (guide, alone):
        assert math.isfinite(TraceEnum_ELBO(max_plate_nesting=0).loss(summed, one))
    assert set(part.parents) == {"free"}
    assert not alone.parents  # it cannot see z, and what it does not see it does not follow


def test_what_follows_a_count_follows_the_draw_of_the_part_above():
    def counted():
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("rows", 4, subsample_size=2):
            pyro.sample("y", dist.Normal(mu, 1.0), obs=torch.zeros(2))
        count = pyro.sample("count", dist.Poisson(50.0))
        pyro.sample("x", dist.Normal(mu + count, 1.0))

    part = AutoNoncenteredMultivariateNormal(poutine.block(counted, hide=["count"]))
    guide = AutoGuideList(counted)
    guide.append(lambda: {"count": pyro.sample("count", dist.Poisson(50.0))})
    guide.append(part)
    for _ in range(5):
        values = guide()
        assert abs(values["x"] - values["mu"] - values["count"]) < 10.0
    assert part.parents == {"x": {"mu", "count"}}


def test_it_comes_closer_to_a_centred_hierarchy():
    settings = FitSettings(
        steps=600, particles=8, optimizer_options={"lr": 0.03}, method="adam", engine="native"
    )
    elbos = {}
    for family in (AutoMultivariateNormal, AutoNoncenteredMultivariateNormal):
        pyro.clear_param_store()
        result = fit(schools, family(schools), settings=settings)
        elbos[family] = result.elbo[-100:].mean()
    assert result.engine == "native"
    assert elbos[AutoNoncenteredMultivariateNormal] > elbos[AutoMultivariateNormal] + 0.5
