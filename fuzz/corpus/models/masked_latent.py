"""A masked latent whose child is not masked."""

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine

import autoguide_core as guides

mask = torch.arange(6) % 3 > 0


def model() -> None:
    """The model."""
    with pyro.plate("rows", 6):
        with poutine.mask(mask=mask):
            e = pyro.sample("e", dist.Normal(0.0, 1.0))
        pyro.sample("y", dist.Normal(e, 0.5), obs=torch.ones(6))


guide = guides.AutoMultivariateNormal(model)
