"""AutoSemiDAIS: exact per element, tighter with K on minibatches, full-size summaries."""

from __future__ import annotations

import copy
import io
import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam

from autoguide_core import AutoDelta, AutoNormal
from autoguide_core.guides.dais.semi import AutoSemiDAIS

SIZE = 8
DATA = torch.linspace(-1.0, 2.0, SIZE)


def global_model(size=None):
    theta = pyro.sample("theta", dist.Normal(0.0, 1.0))
    return theta, size


def local_model(theta, size=None):
    with pyro.plate("data", SIZE, subsample_size=size) as index:
        a = pyro.sample("a", dist.Normal(theta, 1.0))
        b = pyro.sample("b.c", dist.Normal(torch.zeros(1), 1.0).to_event(1))
        pyro.sample("y", dist.Normal(a + b[..., 0], 0.5), obs=DATA[index])


def model(size=None):
    local_model(*global_model(size))


def log_evidence(theta):
    """Of each observation given the global latent: y is theta plus noise of variance 2.25."""
    return dist.Normal(theta, 1.5).log_prob(DATA)


def semi(global_family=AutoDelta, local=local_model, **options):
    options = {"init_scale": 1.0, "eta_init": 0.1, "eta_max": 0.5} | options
    return AutoSemiDAIS(model, local, global_family(global_model), **options)


def at_zero(guide):
    guide.loc.zero_()
    guide.global_guide.theta.zero_()


@pytest.mark.parametrize("local", [local_model, None])
@pytest.mark.parametrize("size", [None, 3])
def test_each_element_has_weights_that_average_to_its_evidence(size, local):
    guide = semi(local=local, K=3)
    guide(size)
    with torch.no_grad():
        guide.loc.zero_()
    with torch.no_grad(), pyro.plate("draws", 8000, dim=-2):
        guide_trace = poutine.trace(guide).get_trace(size)
        model_trace = poutine.trace(poutine.replay(model, guide_trace)).get_trace(size)
    total = 0.0
    for sign, trace in ((1, model_trace), (-1, guide_trace)):
        trace.compute_log_prob()
        for name, site in trace.nodes.items():
            if site["type"] == "sample" and name not in ("data", "theta"):
                total = total + sign * site["unscaled_log_prob"] * (name != "_AutoSemiDAIS_noise")
    index = guide_trace.nodes["data"]["value"] if size else torch.arange(SIZE)
    theta = guide_trace.nodes["theta"]["value"].flatten()[0]
    estimate = total.logsumexp(0) - math.log(8000)
    torch.testing.assert_close(estimate, log_evidence(theta)[index], rtol=0, atol=0.15)
    scales = {guide_trace.nodes[name]["scale"] for name in ("a", "_AutoSemiDAIS_latent")}
    assert scales == {SIZE / 3 if size else 1.0}


def test_the_bound_on_minibatches_is_unbiased_and_gets_tighter_with_k():
    exact = -(log_evidence(0.0).sum() + dist.Normal(0.0, 1.0).log_prob(torch.tensor(0.0))).item()
    elbo = Trace_ELBO(500, vectorize_particles=True, max_plate_nesting=1)
    losses = []
    for steps in (1, 4, 16):
        pyro.clear_param_store()
        guide = semi(K=steps, init_scale=0.4, eta_init=0.3)
        guide(4)
        with torch.no_grad():
            at_zero(guide)
            batches = torch.tensor([elbo.loss(model, guide, 4) for _ in range(40)])
            pyro.clear_param_store()
            full = semi(K=steps, init_scale=0.4, eta_init=0.3)
            full()
            at_zero(full)
            losses.append(elbo.loss(model, full))
        error = batches.std().item() / 40**0.5
        assert batches.mean().item() == pytest.approx(losses[-1], abs=4 * error + 0.1)
    assert losses[0] > losses[1] > losses[2] > exact - 0.05
    assert losses[2] < exact + 0.5 * (losses[0] - exact)


def test_it_trains_on_minibatches_with_full_size_parameters_and_summaries():
    guide = semi(AutoNormal, K=2)
    elbo = Trace_ELBO(4, vectorize_particles=True, max_plate_nesting=1)
    svi = SVI(model, guide, Adam({"lr": 0.03}), elbo)
    losses = [svi.step(4) for _ in range(40)]
    assert sum(losses[-10:]) < sum(losses[:10])
    assert guide.loc.shape == (SIZE, 2)
    assert "AutoSemiDAIS.global_guide.locs.theta" in pyro.get_param_store()
    draws = guide.sample_posterior(600, 4)
    shapes = {name: value.shape for name, value in draws.items()}
    assert shapes == {"theta": (600,), "a": (600, SIZE), "b.c": (600, SIZE, 1)}
    assert draws["a"].mean(0)[-1] > draws["a"].mean(0)[0] + 0.3
    assert guide.quantiles([0.1, 0.9], 4)["b.c"].shape == (2, SIZE, 1)
    assert guide.median(4)["a"].shape == (SIZE,)
    twin = copy.deepcopy(guide)
    assert twin(4)["a"].shape == (4,)
    assert twin.global_guide.master() is twin
    torch.save(guide, buffer := io.BytesIO())
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    torch.testing.assert_close(loaded.loc, guide.loc)
    with pytest.raises(RuntimeError, match="without its model"):
        loaded(4)


def test_what_it_cannot_cover_is_refused():
    def bare():
        pyro.sample("theta", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match="no local latent"):
        AutoSemiDAIS(bare, None, AutoNormal(bare))()

    def uneven():
        pyro.sample("theta", dist.Normal(0.0, 1.0))
        with pyro.plate("data", 3):
            pyro.sample("z", dist.Normal(0.0, 1.0))
        pyro.sample("w", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match=r"'z' is inside \['data'\] and site 'w' inside \[\]"):
        AutoSemiDAIS(uneven, None, AutoNormal(bare))()
    with pytest.raises(TypeError, match="AutoCallable"):
        AutoSemiDAIS(model, None, lambda: None)
    with pytest.raises(ValueError, match="eta_init"):
        AutoSemiDAIS(model, None, AutoNormal(global_model), eta_init=1.0)


def test_supports_that_move_and_nested_plates():
    def moving(size=None):
        rate = pyro.sample("rate", dist.Gamma(2.0, 2.0))
        groups = pyro.plate("groups", 2, dim=-2)
        with groups, pyro.plate("data", SIZE, subsample_size=size, dim=-1) as index:
            u = pyro.sample("u", dist.Uniform(torch.zeros(()), rate))
            pyro.sample("y", dist.Normal(u, 0.5), obs=DATA[index].expand(2, -1))

    outer = poutine.block(moving, expose=["rate"])
    guide = AutoSemiDAIS(moving, None, AutoNormal(outer), K=2)
    elbo = Trace_ELBO(3, vectorize_particles=True, max_plate_nesting=2)
    svi = SVI(moving, guide, Adam({"lr": 0.01}), elbo)
    assert all(math.isfinite(svi.step(4)) for _ in range(3))
    assert guide.loc.shape == (2, SIZE, 1)
    values = guide(4)
    assert values["u"].shape == (2, 4)
    assert (values["u"] < values["rate"]).all()
