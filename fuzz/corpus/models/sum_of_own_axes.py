"""Reduces over its own axes: with particles side by side they are summed, too."""

# particles = 4
import pyro
import pyro.distributions as dist
import torch

import autoguide_core as guides


def model() -> None:
    """The model."""
    w = pyro.sample("w", dist.Normal(torch.zeros(3), 1.0).to_event(1))
    pyro.sample("y", dist.Normal(w.sum(), 1.0), obs=torch.tensor(2.0))


guide = guides.AutoNormal(model)
