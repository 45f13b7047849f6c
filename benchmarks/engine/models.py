"""The models in Pyro's language, fitted by our engine and by Pyro's.

Every constant is made from a tensor of the data, so that it has the data's dtype and device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

Model = Callable[..., None]

JITTER = 1e-4
"""Added to the variance of a Gaussian process's noise: its Cholesky factor in float32 needs it."""


def eight_schools() -> Model:
    """Rubin's eight schools, centred."""

    def model(y: Tensor, sigma: Tensor) -> None:
        mu = pyro.sample("mu", dist.Normal(y.new_zeros(()), 5.0))
        tau = pyro.sample("tau", dist.HalfCauchy(y.new_full((), 5.0)))
        with pyro.plate("schools", y.shape[0]):
            theta = pyro.sample("theta", dist.Normal(mu, tau))
            pyro.sample("y", dist.Normal(theta, sigma), obs=y)

    return model


def radon(counties: int) -> Model:
    """Radon in houses: an intercept for each county, and one slope."""

    def model(county: Tensor, floor: Tensor, y: Tensor) -> None:
        zero, one = y.new_zeros(()), y.new_ones(())
        mu = pyro.sample("mu", dist.Normal(zero, 10.0))
        tau = pyro.sample("tau", dist.HalfNormal(one))
        slope = pyro.sample("slope", dist.Normal(zero, 10.0))
        sigma = pyro.sample("sigma", dist.HalfNormal(one))
        with pyro.plate("counties", counties):
            alpha = pyro.sample("alpha", dist.Normal(mu, tau))
        with pyro.plate("houses", y.shape[0]):
            pyro.sample("y", dist.Normal(alpha[county] + slope * floor, sigma), obs=y)

    return model


def logistic(batch: int | None = None) -> Model:
    """Logistic regression, on all data or on a minibatch at each step."""

    def model(x: Tensor, y: Tensor) -> None:
        rows, columns = x.shape
        intercept = pyro.sample("intercept", dist.Normal(x.new_zeros(()), 5.0))
        weights = pyro.sample("weights", dist.Normal(x.new_zeros(columns), 1.0).to_event(1))
        with pyro.plate("data", rows, subsample_size=batch, device=x.device) as index:
            design, outcome = (x, y) if batch is None else (x[index], y[index])
            logits = design @ weights + intercept
            pyro.sample("y", dist.Bernoulli(logits=logits), obs=outcome)

    return model


def mixture() -> Model:
    """Three normals, the component of each datum summed out."""

    def model(y: Tensor) -> None:
        weights = pyro.sample("weights", dist.Dirichlet(y.new_ones(3)))
        centres = y.new_tensor([-2.0, 0.0, 2.0])
        locs = pyro.sample("locs", dist.Normal(centres, 1.0).to_event(1))
        scales = pyro.sample("scales", dist.LogNormal(y.new_zeros(3), 1.0).to_event(1))
        with pyro.plate("data", y.shape[0]):
            components = dist.Normal(locs, scales)
            law = dist.MixtureSameFamily(dist.Categorical(weights), components)
            pyro.sample("y", law, obs=y)

    return model


def gp() -> Model:
    """A Gaussian process with an RBF kernel: its marginal likelihood."""

    def model(x: Tensor, y: Tensor) -> None:
        zero = x.new_zeros(())
        variance = pyro.sample("variance", dist.LogNormal(zero, 1.0))
        length = pyro.sample("length", dist.LogNormal(zero, 1.0))
        noise = pyro.sample("noise", dist.LogNormal(zero - 1.0, 1.0))
        kernel = variance * torch.exp(-0.5 * ((x[:, None] - x) / length).square())
        covariance = kernel + (noise + JITTER) * torch.eye(len(x), dtype=x.dtype, device=x.device)
        law = dist.MultivariateNormal(
            torch.zeros_like(y), scale_tril=torch.linalg.cholesky(covariance)
        )
        pyro.sample("y", law, obs=y)

    return model


def poisson() -> Model:
    """Counts with a rate for each group, non-centred."""

    def model(y: Tensor) -> None:
        zero = y.new_zeros(())
        mu = pyro.sample("mu", dist.Normal(zero, 2.0))
        tau = pyro.sample("tau", dist.HalfNormal(zero + 1.0))
        with pyro.plate("groups", y.shape[0]):
            z = pyro.sample("z", dist.Normal(zero, 1.0))
            pyro.sample("y", dist.Poisson(torch.exp(mu + tau * z)), obs=y)

    return model


MODELS: dict[str, Callable[..., Any]] = {
    "eight_schools": eight_schools,
    "radon": radon,
    "logistic": logistic,
    "mixture": mixture,
    "gp": gp,
    "poisson": poisson,
}
