"""Several draws a step: at once where the model keeps them apart, else one by one."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import nn

from autoguide_core import AutoNormal, FitSettings, fit


def summing() -> None:
    """Its sum goes over the particles, too, where all are drawn at once."""
    w = pyro.sample("w", dist.Normal(0.0, 1.0).expand([4]).to_event(1))
    pyro.sample("y", dist.Normal(w.sum(), 1.0), obs=torch.tensor(2.0))


@pytest.mark.parametrize("particles", [4, 16])
def test_particles_that_a_model_mixes_are_drawn_one_by_one(particles: int) -> None:
    guide = AutoNormal(summing)
    settings = FitSettings(steps=700, method="adam", particles=particles)
    result = fit(summing, guide, settings=settings)
    assert any("drawn one by one" in note for note in result.notes)
    assert float(guide.median()["w"].sum()) == pytest.approx(1.6, abs=0.2)  # exact


def test_particles_that_a_model_keeps_apart_are_drawn_at_once() -> None:
    net = nn.Linear(1, 1)

    def model() -> None:
        pyro.module("net", net)
        mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
        w = pyro.sample("w", dist.Dirichlet(torch.ones(2)))
        with pyro.plate("data", 3, subsample_size=2) as index:
            scale = pyro.sample("scale", dist.Gamma(2.0, mu.exp()))
            mean = net(mu.unsqueeze(-1)).squeeze(-1) + w[..., 0]
            pyro.sample("y", dist.Normal(mean, scale), obs=torch.ones(3)[index])

    settings = FitSettings(steps=100, method="adam", particles=4)
    assert not any(
        "one by one" in n for n in fit(model, AutoNormal(model), settings=settings).notes
    )
