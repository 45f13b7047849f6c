"""Guides and fits on the simulated device, each by itself: ``python simulated_fits.py``."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import guide_families
import pyro
import pyro.distributions as dist
import pytest
import simulated_device
import torch
from guide_families import FAMILIES
from pyro import poutine
from pyro.infer import Trace_ELBO
from pyro.infer.inspect import get_dependencies
from torch import Tensor

import autoguide_core
from autoguide_core import AutoGuideList, FitSettings, fit, fit_many
from autoguide_core.engine.stepping import choice
from autoguide_core.engine.stepping.cuda import CudaGraphRunner
from autoguide_core.guides.gaussian import dependencies
from autoguide_core.guides.structured import graph

GPU = str(simulated_device.DEVICE)


def grouped(subsample: int | None = None, device: str = GPU) -> Callable[..., None]:
    """A hierarchical model, whole or in minibatches, with all tensors on a device."""
    data = torch.tensor([0.5, 1.0, -0.5, 2.0], dtype=torch.float64).to(device)
    zero = torch.zeros((), dtype=torch.float64).to(device)

    def model() -> None:
        mu = pyro.sample("mu", dist.Normal(zero, zero + 1))
        tau = pyro.sample("tau", dist.LogNormal(zero, zero + 1))
        bounded = pyro.sample("b", dist.Uniform(zero, zero + 2).expand([2]).to_event(1))
        with pyro.plate("rows", 4, subsample_size=subsample, device=device) as index:
            x = pyro.sample("x", dist.Normal(mu, tau))
            pyro.sample("y", dist.Normal(x + bounded.sum(-1), zero + 1), obs=data[index])

    return model


def guide_works(family: Any, model: Callable[..., None]) -> None:
    guide = family.make(model)
    loss = Trace_ELBO().differentiable_loss(model, guide)
    loss.backward()
    values = {**guide.median(), **guide.sample_posterior(2)}
    leaves = dict(guide.named_parameters())
    for name, value in {**values, **leaves}.items():
        assert value.device.type == simulated_device.NAME, name
    assert math.isfinite(float(loss))
    with simulated_device.recording(), pyro.validation_enabled(False), poutine.block():
        trace = poutine.trace(guide).get_trace()
        log_q = sum(site["fn"].log_prob(site["value"]).sum() for site in sites(trace))
        assert isinstance(log_q, Tensor)


def sites(trace: Any) -> Iterator[Any]:
    return (s for s in trace.nodes.values() if s["type"] == "sample" and s["name"] != "rows")


def guide_list(model: Any) -> AutoGuideList:
    guide = AutoGuideList(model)
    guide.append(autoguide_core.AutoMultivariateNormal(poutine.block(model, hide=["x", "y"])))
    guide.append(autoguide_core.AutoNormal(poutine.block(model, expose=["x"])))
    return guide


def fit_works(
    make: Callable[[Any], Any], subsample: int | None, engine: str, particles: int = 1
) -> None:
    model = grouped(subsample)
    settings = FitSettings(steps=34, method="adam", engine=engine, particles=particles)
    found = fit(model, make(model), settings=settings)
    median = found.guide.median()
    assert all(value.device.type == simulated_device.NAME for value in median.values())
    assert found.engine == engine


def recorded(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """In place of a recording by a GPU: refuses what that refuses."""
    with simulated_device.recording():
        work()
    return work


def recording_runner(graph: Any, state: Any, row: Any) -> CudaGraphRunner:
    return CudaGraphRunner(graph, state, row, record=recorded)


def curvature_is_refused() -> None:
    model = grouped()
    guide = autoguide_core.AutoMultivariateNormal(model)
    assert fit(model, guide, settings=FitSettings(steps=5)).method == "adam"
    with pytest.raises(autoguide_core.FitError, match="works on the host"):
        fit(model, guide, settings=FitSettings(method="curvature"))


def many_work() -> None:
    model = grouped()
    settings = FitSettings(steps=34, method="adam")
    many = fit_many(model, autoguide_core.AutoNormal(model), restarts=2, settings=settings)
    assert not many.failures


def dependencies_of_the_twin(model: Any, args: Any, kwargs: Any) -> Any:
    """In place of Pyro's marked tensors, which cannot stand around those of the simulation.

    The model is run all the same, for those who watch the run.
    """
    poutine.trace(model).get_trace(*args, **kwargs)
    return get_dependencies(grouped(device="cpu"))


def cases() -> Iterator[tuple[str, Callable[[], None]]]:
    """What is tried.

    There is no case of the Hessian of `AutoLaplaceApproximation`: torch ends the process where
    `torch.autograd.grad(is_grads_batched=True)` is called for tensors of the simulation. Particles
    are drawn one by one there, since the trial run of all together does not see the simulation's
    random operations as it sees a device's.
    """
    for family in FAMILIES:
        yield f"guide {family}", lambda f=family: guide_works(f, grouped())
        if family.can_subsample:
            yield f"guide {family}, minibatches", lambda f=family: guide_works(f, grouped(2))
    for engine in ("graph", "eager", "cuda"):
        yield f"fit by {engine}", lambda e=engine: fit_works(autoguide_core.AutoNormal, None, e)
    yield "fit with particles", lambda: fit_works(autoguide_core.AutoNormal, None, "cuda", 3)
    for make in (autoguide_core.AutoNormal, guide_list):
        yield f"fit in minibatches, {make.__name__}", lambda m=make: fit_works(m, 2, "cuda")
    for name in ("AutoBNAFNormal", "AutoMultivariateNormal"):
        make = getattr(autoguide_core, name)
        yield f"fit of {name}", lambda m=make: fit_works(m, None, "cuda")
    yield "curvature", curvature_is_refused
    yield "many", many_work


def main(wanted: str = "") -> int:
    failures = 0
    for name, work in cases():
        if not name.startswith(wanted):
            continue
        pyro.clear_param_store()
        pyro.set_rng_seed(0)
        print(name, file=sys.stderr, flush=True)
        try:
            work()
        except Exception as error:
            failures += 1
            print(f"{name}: {type(error).__name__}: {str(error)[:300]}", flush=True)
            if wanted:
                raise
    print(f"{failures} failed", flush=True)
    return min(failures, 1)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    guide_families.few_draws(pytest.MonkeyPatch(), 20)
    choice.CudaGraphRunner = recording_runner  # type: ignore[misc, assignment]
    for following in (dependencies, graph):
        following.get_dependencies = dependencies_of_the_twin
    sys.exit(main(*sys.argv[1:]))
