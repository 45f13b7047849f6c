"""AutoDAIS: weights that average to the evidence, a bound that gets tighter, and the contract."""

from __future__ import annotations

import copy
import io
import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, JitTrace_ELBO, Predictive, Trace_ELBO
from pyro.optim import Adam

from autoguide_core import AutoGuideList, AutoNormal
from autoguide_core.guides.dais.density import summed_to
from autoguide_core.guides.dais.dynamics import Schedule, anneal
from autoguide_core.guides.dais.guide import AutoDAIS

RHO = 0.95
COVARIANCE = torch.tensor([[1.0, RHO], [RHO, 1.0]])
MEAN_FIELD_GAP = -0.5 * math.log(1 - RHO**2)  # of the best factorised normal


def chain(steps, scale=(1 - RHO**2) ** 0.5, num_chains=8_000):
    """Log weights and ends of untrained chains, from the best factorised normal to a target."""
    target = dist.MultivariateNormal(torch.zeros(2), COVARIANCE)
    base = dist.Normal(torch.zeros(2), scale).to_event(1)
    schedule = Schedule(
        torch.arange(1.0, steps + 1) / steps,
        torch.full((steps,), 0.3),
        torch.tensor(0.8),
        torch.ones(2),
    )
    start = base.sample((num_chains,))
    noise = torch.randn(num_chains, steps, 2)
    with torch.no_grad():
        end, cost = anneal(start, noise, schedule, base.log_prob, target.log_prob)
        return target.log_prob(end) - base.log_prob(start) - cost.sum(-1), end


def test_weights_average_to_the_constant_and_the_bound_gets_tighter_with_k():
    gaps, wide_gaps = [], []
    for steps in (1, 4, 16, 64):
        log_weights, end = chain(steps, scale=1.2)
        error = log_weights.exp().std().item() / len(log_weights) ** 0.5
        assert error < 0.05
        assert log_weights.exp().mean().item() == pytest.approx(1.0, abs=4 * error)
        wide_gaps.append(-log_weights.mean().item())
        gaps.append(-chain(steps)[0].mean().item())
    assert gaps == sorted(gaps, reverse=True)
    assert wide_gaps == sorted(wide_gaps, reverse=True)
    assert gaps[1] < MEAN_FIELD_GAP
    assert gaps[3] < 0.5
    torch.testing.assert_close(torch.cov(end.T), COVARIANCE, rtol=0, atol=0.1)


def correlated():
    pyro.sample("x", dist.MultivariateNormal(torch.zeros(2), COVARIANCE))


def test_training_beats_the_best_mean_field_fit():
    guide = AutoDAIS(correlated, K=4, eta_init=0.2, eta_max=0.6, init_scale=0.3)
    elbo = Trace_ELBO(8, vectorize_particles=True, max_plate_nesting=0)
    svi = SVI(correlated, guide, Adam({"lr": 0.05}), elbo)
    for _ in range(70):
        svi.step()
    many = Trace_ELBO(4000, vectorize_particles=True, max_plate_nesting=0)
    with torch.no_grad():
        assert many.loss(correlated, guide) < MEAN_FIELD_GAP - 0.15
    draws = guide.sample_posterior(2500)["x"]
    assert torch.corrcoef(draws.T)[0, 1] > 0.3
    assert draws.std(0).min() > 0.4  # a mean-field fit has 0.31
    start = AutoDAIS(correlated, K=4, eta_init=0.2, eta_max=0.6, init_scale=0.3)._options
    assert (guide.eta - start.eta_init).abs().min() > 1e-3  # each part of the chain is trained
    assert (guide.gamma - start.gamma_init).abs() > 1e-3
    assert (guide.inverse_mass - 1).abs().min() > 1e-3
    assert (guide.beta_increments - 1).abs().min() > 1e-3


def log_weights(model, guide, num_draws, depth):
    """The log weight of each of many draws: what Trace_ELBO averages."""
    shape = torch.Size([num_draws] + depth * [1])
    plate = pyro.plate("draws", num_draws, dim=-1 - depth)
    with torch.no_grad():
        guide_trace = poutine.trace(plate(guide)).get_trace()
        model_trace = poutine.trace(poutine.replay(plate(model), guide_trace)).get_trace()
    total = torch.zeros(shape)
    for sign, trace in ((1, model_trace), (-1, guide_trace)):
        trace.compute_log_prob()
        for site in trace.nodes.values():
            if site["type"] == "sample":
                total = total + sign * summed_to(site["log_prob"], shape)
    return total.reshape(num_draws)


def plated():
    scale = pyro.sample("scale", dist.HalfNormal(1.0))
    with pyro.plate("groups", 2, dim=-2):
        p = pyro.sample("p.q", dist.Dirichlet(torch.ones(2)))
        with pyro.plate("data", 3, dim=-1):
            y = torch.tensor([[0.3, 0.9, 0.1], [-0.5, 0.2, 0.4]])
            pyro.sample("y", dist.Normal(p[..., 0], scale), obs=y)


def evidence_of_plated():
    """By a grid over the scale and each group's probability, which is uniform."""
    y = torch.tensor([[0.3, 0.9, 0.1], [-0.5, 0.2, 0.4]])
    scale = (torch.arange(4000) + 0.5) / 800
    p = (torch.arange(400) + 0.5) / 400
    log_lik = dist.Normal(p[:, None, None], scale[:, None]).log_prob(y[:, None, None, :])
    inside = log_lik.sum(-1).exp().mean(1)  # (groups, scale)
    return ((inside.prod(0) * dist.HalfNormal(1.0).log_prob(scale).exp()).sum() / 800).log()


@pytest.mark.parametrize("base_dist", ["diagonal", "cholesky"])
def test_weights_of_a_model_with_plates_average_to_its_evidence(base_dist):
    guide = AutoDAIS(plated, K=3, base_dist=base_dist, eta_init=0.03, init_scale=0.8)
    guide()
    with torch.no_grad():
        guide.loc.zero_()
    weights = log_weights(plated, guide, 20_000, 2)
    estimate = weights.logsumexp(0) - math.log(len(weights))
    assert estimate.item() == pytest.approx(evidence_of_plated().item(), abs=0.05)
    draws = guide.sample_posterior(1500)
    assert {k: v.shape for k, v in draws.items()} == {"scale": (1500,), "p.q": (1500, 2, 1, 2)}
    assert guide.quantiles([0.1, 0.9])["p.q"].shape == (2, 2, 1, 2)
    assert guide.median()["scale"] > 0


def moving(keep=None):
    a = pyro.sample("a", dist.Uniform(torch.zeros((), dtype=torch.float64), 1.0))
    b = pyro.sample("b", dist.Uniform(torch.zeros((), dtype=torch.float64), 1 - a))
    with pyro.plate("data", 3), poutine.mask(mask=torch.tensor([True, False, True])):
        z = pyro.sample("z", dist.Normal(a, 1.0))
    pyro.sample("y", dist.Normal(a + b, 0.3), obs=torch.tensor(0.9, dtype=torch.float64))
    assert z.dtype == torch.float64


def test_supports_that_move_masks_and_float64():
    guide = AutoDAIS(moving, K=2, init_scale=1.2)
    elbo = Trace_ELBO(3, vectorize_particles=True, max_plate_nesting=1)
    svi = SVI(moving, guide, Adam({"lr": 0.01}), elbo)
    assert all(math.isfinite(svi.step()) for _ in range(3))
    draws = guide.sample_posterior(200)
    assert (draws["a"] + draws["b"] < 1).all()
    assert draws["z"].dtype == torch.float64
    assert draws["z"].shape == (200, 3)
    # The masked entry is held at a standard normal, so that all weights stay those of a bound.
    with torch.no_grad():
        guide.loc.zero_()
    weights = log_weights(moving, guide, 10_000, 1)
    a = (torch.arange(400) + 0.5) / 400
    u = (torch.arange(400) + 0.5)[:, None] / 400
    exact = dist.Normal(a + (1 - a) * u, 0.3).log_prob(torch.tensor(0.9)).exp().mean().log()
    estimate = weights.logsumexp(0) - math.log(len(weights))
    assert estimate.item() == pytest.approx(exact.item(), abs=0.15)


def test_one_draw_and_many_at_once_have_one_expectation():
    guide = AutoDAIS(plated, K=2)
    guide()
    with torch.no_grad():
        single = torch.tensor([Trace_ELBO().loss(plated, guide) for _ in range(150)])
        many = Trace_ELBO(2000, vectorize_particles=True, max_plate_nesting=2).loss(plated, guide)
    error = single.std().item() / 150**0.5
    assert many == pytest.approx(single.mean().item(), abs=4 * error + 0.05)


def pair():
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(a, 0.1))
    pyro.sample("y", dist.Normal(b, 1.0), obs=torch.tensor(1.0))


def test_as_the_last_part_of_a_list_it_follows_the_others():
    first, last = poutine.block(pair, expose=["a"]), poutine.block(pair, expose=["b"])
    guide = AutoGuideList(pair)
    guide.append(AutoNormal(first, init_scale=1.0))
    guide.append(AutoDAIS(last, K=8, eta_init=0.05, eta_max=0.1))
    guide()
    elbo = Trace_ELBO(50, vectorize_particles=True, max_plate_nesting=0)
    assert math.isfinite(SVI(pair, guide, Adam({"lr": 0.01}), elbo).step())
    with pyro.plate("draws", 2000):
        draws = guide()
    assert torch.corrcoef(torch.stack([draws["a"], draws["b"]]))[0, 1] > 0.3
    # Its own summaries are those of the list's draws, not at fixed values of the other parts.
    assert guide[1].sample_posterior(500)["b"].std().item() == pytest.approx(
        draws["b"].std().item(), rel=0.2
    )
    assert guide.sample_posterior(3)["b"].shape == (3,)
    assert guide.quantiles([0.1, 0.9])["b"].shape == (2,)
    assert guide.median()["b"].shape == ()
    wrong = AutoGuideList(pair)
    wrong.append(AutoDAIS(last))
    wrong.append(AutoNormal(first))
    with pytest.raises(ValueError, match=r"latent site 'a'.*before this one"):
        wrong()


def test_minibatches_and_hidden_sites_are_warned_of_and_local_latents_refused():
    def batched(size):
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        with pyro.plate("data", 20, subsample_size=size) as index:
            pyro.sample("y", dist.Normal(mu, 1.0), obs=index.float())

    AutoDAIS(batched)(None)
    pyro.clear_param_store()
    guide = AutoDAIS(batched)
    with pytest.warns(UserWarning, match="differs from run to run.*minibatches"):
        guide(5)
    assert math.isfinite(Trace_ELBO().loss(batched, guide, 5))

    def local():
        with pyro.plate("data", 20, subsample_size=5):
            pyro.sample("u", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match=r"'u'.*plate 'data'"):
        AutoDAIS(local)()
    with pytest.raises(ValueError, match="discrete sample site 'k'"):
        AutoDAIS(lambda: pyro.sample("k", dist.Bernoulli(0.5)))()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"K": 0}, "K >= 1"),
        ({"K": True}, "K >= 1"),
        ({"base_dist": "dense"}, "'diagonal' or 'cholesky'"),
        ({"eta_init": 0.2}, "eta_init < eta_max"),
        ({"gamma_init": 1.0}, "gamma_init"),
        ({"init_scale": 0.0}, "init_scale"),
    ],
)
def test_options_out_of_range_are_told(options, match):
    with pytest.raises(ValueError, match=match):
        AutoDAIS(correlated, **options)


def test_copying_saving_and_predicting():
    guide = AutoDAIS(pair, K=2)
    guide()
    twin = copy.deepcopy(guide)
    assert twin.sample_posterior(3)["a"].shape == (3,)
    torch.testing.assert_close(twin.loc, guide.loc)
    torch.save(guide, buffer := io.BytesIO())
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    torch.testing.assert_close(loaded.loc, guide.loc)
    with pytest.raises(RuntimeError, match="without its model"):
        loaded()
    for parallel in (False, True):
        draws = Predictive(pair, guide=guide, num_samples=3, parallel=parallel)()
        assert draws["b"].numel() == 3
    with pytest.raises(NotImplementedError, match="sample_posterior"):
        guide.get_posterior()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_it_can_be_traced():
    guide = AutoDAIS(pair, K=2)
    elbo = JitTrace_ELBO(ignore_jit_warnings=True)
    svi = SVI(pair, guide, Adam({"lr": 0.01}), elbo)
    assert len({svi.step() for _ in range(3)}) == 3
