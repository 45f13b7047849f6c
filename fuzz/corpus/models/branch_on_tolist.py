"""Branches on what `tolist` says."""

import pyro
import pyro.distributions as dist
import torch

import autoguide_core as guides


def model() -> None:
    """The model."""
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    scale = 1.0 if a.detach().tolist() > 0.0 else 3.0
    pyro.sample("y", dist.Normal(a, scale), obs=torch.tensor(0.3))


guide = guides.AutoNormal(model)
