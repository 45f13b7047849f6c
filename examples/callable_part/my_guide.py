"""A guide for the hospitals' log odds that learns two numbers instead of twenty-four.

The log odds of a hospital with `r` deaths among `n` operations are roughly normal around
`log((r + 0.5) / (n - r + 0.5))`, with variance `1 / (r + 0.5) + 1 / (n - r + 0.5)`. Given what is
common to all hospitals, its posterior is that normal times the common one; the guide learns the
mean and the standard deviation of the latter.
"""

import pyro
import pyro.distributions as dist
import torch
from torch.distributions import constraints


def _posterior(n, r):
    centre = pyro.param("local.centre", torch.tensor(-2.5))
    spread = pyro.param("local.spread", torch.tensor(0.5), constraint=constraints.positive)
    odds = torch.log((r + 0.5) / (n - r + 0.5))
    variance = 1 / (r + 0.5) + 1 / (n - r + 0.5)
    precision = 1 / variance + 1 / spread**2
    return (odds / variance + centre / spread**2) / precision, precision.rsqrt()


def local(hospital, n, r=None):
    """Draw `b`; called with the arguments of the model."""
    loc, scale = _posterior(n, r)
    with pyro.plate("hospital", hospital, dim=-1):
        return {"b": pyro.sample("b", dist.Normal(loc, scale))}


def local_median(hospital, n, r=None):
    """Return the median of `b`."""
    return {"b": _posterior(n, r)[0].detach()}
