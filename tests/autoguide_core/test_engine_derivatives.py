"""Models that differentiate on their own: fitted and drawn from as any other."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch

from autoguide_core import (
    AutoGuide,
    AutoMultivariateNormal,
    AutoNormal,
    FitSettings,
    draw_posterior,
    fit,
)

SLOPE = 1.0 + math.cos(0.5)
MEAN, SD = SLOPE / (1.0 + SLOPE**2), (1.0 + SLOPE**2) ** -0.5
"""The exact posterior."""


def model() -> None:
    z = pyro.sample("z", dist.Normal(0.0, 1.0))
    x = torch.tensor(0.5, requires_grad=True)
    (slope,) = torch.autograd.grad(z * x.sin(), x, create_graph=True)
    pyro.sample("y", dist.Normal(z + slope, 1.0), obs=torch.tensor(1.0))


@pytest.mark.parametrize(
    ("kind", "method", "engine"),
    [
        (AutoNormal, "adam", "graph"),
        (AutoNormal, "adam", "eager"),
        (AutoMultivariateNormal, "curvature", "auto"),
    ],
)
def test_the_posterior_is_exact(kind: type[AutoGuide], method: str, engine: str) -> None:
    settings = FitSettings(steps=600, method=method, engine=engine)
    result = fit(model, kind(model), settings=settings)
    draws = draw_posterior(result, model, num_draws=2000).sites["z"]
    assert float(draws.mean()) == pytest.approx(MEAN, abs=0.06)
    assert float(draws.std()) == pytest.approx(SD, abs=0.06)
