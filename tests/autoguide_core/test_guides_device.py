"""Guides of models on a GPU, and tensors of the wrong kind found without one.

On a machine without a GPU a tensor that is made on the default device goes unnoticed. One that is
made in the default dtype, which is the same slip as a rule, does not: the models here are of double
precision under a default of single.
"""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from pathlib import Path

import pyro
import pyro.distributions as dist
import pytest
import torch
from guide_families import FAMILIES, few_draws, train
from pyro import poutine
from pyro.infer import Trace_ELBO

from autoguide_core import Ordered

HAS_GPU = torch.cuda.is_available()
VECTORISED = Trace_ELBO(num_particles=2, vectorize_particles=True, max_plate_nesting=2)


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    few_draws(monkeypatch)


def shapes_on(device: str):
    """A model of every kind of site whose tensors all are of double precision, on a device."""
    zero = torch.zeros((), dtype=torch.float64, device=device)
    keep = torch.tensor([True, False, True], device=device)

    def model():
        a = pyro.sample("a", dist.Normal(zero, zero + 1))
        b = pyro.sample("b", dist.LogNormal(zero.expand(2), zero + 1).to_event(1))
        p = pyro.sample("p", dist.Dirichlet(zero.new_ones(3)))
        pyro.sample("o", Ordered(dist.Normal(zero, zero + 1).expand([2])))
        outer = pyro.plate("outer", 2, dim=-2, device=device)
        inner = pyro.plate("inner", 3, dim=-1, device=device)
        with outer:
            c = pyro.sample("c", dist.Normal(a, zero + 1))
        with outer, inner, poutine.mask(mask=keep):
            d = pyro.sample("d", dist.Uniform(zero, zero + 2))
            loc = c + d + b.sum(-1) + p[..., 0]
            pyro.sample("y", dist.Normal(loc, zero + 1), obs=zero.expand(2, 3))

    return model


def moving_on(device: str):
    zero = torch.zeros((), dtype=torch.float64, device=device)

    def model():
        a = pyro.sample("a", dist.Uniform(zero, zero + 1))
        with pyro.plate("rows", 3, device=device):
            b = pyro.sample("b", dist.Uniform(zero, 1 - a))
            pyro.sample("y", dist.Normal(a + b, zero + 1), obs=zero.expand(3))

    return model


def minibatch_on(device: str):
    zero = torch.zeros((), dtype=torch.float64, device=device)

    def model():
        a = pyro.sample("a", dist.Normal(zero, zero + 1))
        with pyro.plate("rows", 4, subsample_size=2, device=device):
            b = pyro.sample("b", dist.LogNormal(a, zero + 1))
            pyro.sample("y", dist.Normal(b, zero + 1), obs=zero.expand(2))

    return model


def check(values, device: str, names: set[str] | None = None):
    for name, value in values.items():
        assert value.dtype == torch.float64, name
        assert value.device.type == device, name
    assert names is None or names <= set(values)


def exercise(family, model, device: str):
    guide = family.make(model)
    losses = train(model, guide, steps=3) + train(model, guide, elbo=VECTORISED)
    assert all(map(math.isfinite, losses))
    check(dict(guide.named_parameters()), device)
    check(guide.median(), device)
    check(guide.quantiles([0.1, 0.9]), device)
    check(guide.quantiles(torch.tensor([0.1, 0.9])), device)
    draws = guide.sample_posterior(3)
    check(draws, device)
    trace = poutine.trace(guide).get_trace()
    check({n: trace.nodes[n]["value"] for n in draws}, device)
    if family.can_score:
        assert guide.posterior().log_prob(draws).dtype == torch.float64
    return guide


def models_of(family):
    models = [shapes_on, *([moving_on] if family.moves else [])]
    return [*models, *([minibatch_on] if family.can_subsample else [])]


CASES = [
    pytest.param(family, make, id=f"{family}-{make.__name__}")
    for family in FAMILIES
    for make in models_of(family)
]


@pytest.mark.parametrize(("family", "make"), CASES)
def test_no_tensor_is_made_in_the_default_dtype(family, make):
    exercise(family, make("cpu"), "cpu")


@pytest.mark.slow
def test_guides_and_fits_work_on_a_strict_simulated_device():
    # In a process of its own: a simulated device is there for the whole process.
    ran = subprocess.run(
        [sys.executable, Path(__file__).with_name("simulated_fits.py")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (0, "0 failed\n"), ran.stdout + ran.stderr


@pytest.mark.skipif(not HAS_GPU, reason="no GPU here")
@pytest.mark.parametrize(("family", "make"), CASES)
def test_a_model_on_a_gpu_has_its_guide_there(family, make):
    guide = exercise(family, make("cuda"), "cuda")
    buffer = io.BytesIO()
    torch.save(guide.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, map_location="cpu")
    check({name: value for name, value in state.items() if value.is_floating_point()}, "cpu")
    pyro.clear_param_store()
    twin = family.make(make("cpu"))
    twin.load_state_dict(state)
    check(twin.median(), "cpu")
    check(twin.sample_posterior(2), "cpu")
