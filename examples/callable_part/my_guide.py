"""A guide for `tau` and the hospitals' log odds `b`, in which `b` follows `tau`.

The log odds of a hospital with `r` deaths among `n` operations are roughly normal around
`log((r + 0.5) / (n - r + 0.5))`, with variance `1 / (r + 0.5) + 1 / (n - r + 0.5)`. Given `tau`,
the posterior of `b` is roughly that normal times `Normal(centre, tau)`. The guide learns three
numbers, whatever the number of hospitals.
"""

import pyro
import pyro.distributions as dist
import torch
from torch.distributions import constraints


def _parameters():
    centre = pyro.param("local.centre", torch.tensor(-2.5))
    loc = pyro.param("local.tau_loc", torch.tensor(-0.7))
    scale = pyro.param("local.tau_scale", torch.tensor(0.3), constraint=constraints.positive)
    return centre, loc, scale


def _given_tau(tau, centre, n, r):
    odds = torch.log((r + 0.5) / (n - r + 0.5))
    variance = 1 / (r + 0.5) + 1 / (n - r + 0.5)
    precision = 1 / variance + 1 / tau**2
    return (odds / variance + centre / tau**2) / precision, precision.rsqrt()


def local(hospital, n, r=None):
    """Draw `tau` and `b`; called with the arguments of the model."""
    centre, tau_loc, tau_scale = _parameters()
    tau = pyro.sample("tau", dist.LogNormal(tau_loc, tau_scale))
    loc, scale = _given_tau(tau, centre, n, r)
    with pyro.plate("hospital", hospital, dim=-1):
        b = pyro.sample("b", dist.Normal(loc, scale))
    return {"tau": tau, "b": b}


def local_median(hospital, n, r=None):
    """Return medians of `tau` and of `b` given that of `tau`."""
    centre, tau_loc, _ = _parameters()
    tau = tau_loc.exp()
    return {"tau": tau.detach(), "b": _given_tau(tau, centre, n, r)[0].detach()}
