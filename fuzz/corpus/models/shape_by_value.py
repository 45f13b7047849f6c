"""How many numbers there are depends on their values."""

import pyro
import pyro.distributions as dist
import torch

import autoguide_core as guides


def model() -> None:
    """The model."""
    z = pyro.sample("z", dist.Normal(torch.zeros(3), 1.0).to_event(1))
    pyro.sample("y", dist.Normal(10.0 * z[z > 0].numel(), 5.0), obs=torch.tensor(12.0))


guide = guides.AutoNormal(model)
