"""Plates inside a callable part are those of its list."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam

from autoguide_core import AutoDelta, AutoGuideList

SIZE = 12


def model(data, size=None):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    with pyro.plate("obs", SIZE, subsample_size=size) as index:
        z = pyro.sample("z", dist.Normal(mu, 1.0))
        pyro.sample("y", dist.Normal(z, 1.0), obs=data[index])


def local(data, size=None):
    loc = pyro.param("loc", torch.tensor(0.0))
    with pyro.plate("obs", SIZE) as index:
        return {"z": pyro.sample("z", dist.Normal(loc + 0.5 * data[index], 0.7))}


def composed(create_plates=None) -> AutoGuideList:
    guide = AutoGuideList(model, create_plates=create_plates)
    guide.append(AutoDelta(poutine.block(model, expose=["mu"])))
    guide.append(local)
    return guide


def test_a_callable_part_may_have_a_plate():
    data = torch.randn(SIZE)
    guide = composed()
    trace = poutine.trace(guide).get_trace(data)
    assert trace.nodes["z"]["value"].shape == (SIZE,)
    svi = SVI(model, guide, Adam({"lr": 0.01}), Trace_ELBO())
    assert all(torch.isfinite(torch.tensor(svi.step(data))) for _ in range(3))


def test_it_follows_the_minibatch():
    data = torch.arange(SIZE, dtype=torch.get_default_dtype())
    guide = composed(lambda data, size=None: pyro.plate("obs", SIZE, subsample_size=size, dim=-1))
    for _ in range(5):
        trace = poutine.trace(guide).get_trace(data, 4)
        index = trace.nodes["obs"]["value"]
        assert index.shape == (4,)
        site = trace.nodes["z"]
        loc = site["fn"].mean
        torch.testing.assert_close(loc, 0.5 * data[index])
        assert site["scale"] == SIZE / 4
        replayed = poutine.trace(poutine.replay(model, trace)).get_trace(data, 4)
        assert torch.equal(replayed.nodes["obs"]["value"], index)


def test_draws_have_the_full_size_after_a_minibatch():
    data = torch.randn(SIZE)
    guide = composed(lambda data, size=None: pyro.plate("obs", SIZE, subsample_size=size, dim=-1))
    guide(data, 4)
    assert guide.sample_posterior(3, data, 4)["z"].shape == (3, SIZE)


def test_alone_its_plates_are_its_own():
    data = torch.randn(SIZE)
    trace = poutine.trace(composed()[1]._guide).get_trace(data)
    assert "obs" in trace.nodes
