"""Draws one of Python's own random numbers."""

import random

import pyro
import pyro.distributions as dist
import torch

import autoguide_core as guides


def model() -> None:
    """The model."""
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    scale = 1.0 if random.random() < 0.7 else 2.0
    pyro.sample("y", dist.Normal(a, scale), obs=torch.tensor(1.0))


guide = guides.AutoNormal(model)
