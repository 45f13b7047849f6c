"""Differentiates inside of the model."""

import pyro
import pyro.distributions as dist
import torch

import autoguide_core as guides


def model() -> None:
    """The model."""
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    with torch.enable_grad():
        x = torch.tensor(0.5, requires_grad=True)
        (slope,) = torch.autograd.grad((a * x**2).sin(), x, create_graph=True)
    pyro.sample("y", dist.Normal(slope, 1.0), obs=torch.tensor(0.3))


guide = guides.AutoNormal(model)
