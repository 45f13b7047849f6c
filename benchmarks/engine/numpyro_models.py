"""The models of ``models``, site for site, in NumPyro's language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

Array = Any
Model = Callable[..., None]

JITTER = 1e-4


def eight_schools() -> Model:
    """Rubin's eight schools, centred."""

    def model(y: Array, sigma: Array) -> None:
        mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
        tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
        with numpyro.plate("schools", y.shape[0]):
            theta = numpyro.sample("theta", dist.Normal(mu, tau))
            numpyro.sample("y", dist.Normal(theta, sigma), obs=y)

    return model


def radon(counties: int) -> Model:
    """Radon in houses: an intercept for each county, and one slope."""

    def model(county: Array, floor: Array, y: Array) -> None:
        mu = numpyro.sample("mu", dist.Normal(0.0, 10.0))
        tau = numpyro.sample("tau", dist.HalfNormal(1.0))
        slope = numpyro.sample("slope", dist.Normal(0.0, 10.0))
        sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
        with numpyro.plate("counties", counties):
            alpha = numpyro.sample("alpha", dist.Normal(mu, tau))
        with numpyro.plate("houses", y.shape[0]):
            numpyro.sample("y", dist.Normal(alpha[county] + slope * floor, sigma), obs=y)

    return model


def logistic(batch: int | None = None) -> Model:
    """Logistic regression, on all data or on a minibatch at each step."""

    def model(x: Array, y: Array) -> None:
        rows, columns = x.shape
        intercept = numpyro.sample("intercept", dist.Normal(0.0, 5.0))
        weights = numpyro.sample("weights", dist.Normal(jnp.zeros(columns), 1.0).to_event(1))
        with numpyro.plate("data", rows, subsample_size=batch) as index:
            design, outcome = (x, y) if batch is None else (x[index], y[index])
            logits = design @ weights + intercept
            numpyro.sample("y", dist.Bernoulli(logits=logits), obs=outcome)

    return model


def mixture() -> Model:
    """Three normals, the component of each datum summed out."""

    def model(y: Array) -> None:
        weights = numpyro.sample("weights", dist.Dirichlet(jnp.ones(3)))
        centres = jnp.array([-2.0, 0.0, 2.0])
        locs = numpyro.sample("locs", dist.Normal(centres, 1.0).to_event(1))
        scales = numpyro.sample("scales", dist.LogNormal(jnp.zeros(3), 1.0).to_event(1))
        with numpyro.plate("data", y.shape[0]):
            components = dist.Normal(locs, scales)
            law = dist.MixtureSameFamily(dist.Categorical(weights), components)
            numpyro.sample("y", law, obs=y)

    return model


def gp() -> Model:
    """A Gaussian process with an RBF kernel: its marginal likelihood."""

    def model(x: Array, y: Array) -> None:
        variance = numpyro.sample("variance", dist.LogNormal(0.0, 1.0))
        length = numpyro.sample("length", dist.LogNormal(0.0, 1.0))
        noise = numpyro.sample("noise", dist.LogNormal(-1.0, 1.0))
        kernel = variance * jnp.exp(-0.5 * jnp.square((x[:, None] - x) / length))
        covariance = kernel + (noise + JITTER) * jnp.eye(len(x))
        law = dist.MultivariateNormal(jnp.zeros_like(y), scale_tril=jnp.linalg.cholesky(covariance))
        numpyro.sample("y", law, obs=y)

    return model


def poisson() -> Model:
    """Counts with a rate for each group, non-centred."""

    def model(y: Array) -> None:
        mu = numpyro.sample("mu", dist.Normal(0.0, 2.0))
        tau = numpyro.sample("tau", dist.HalfNormal(1.0))
        with numpyro.plate("groups", y.shape[0]):
            z = numpyro.sample("z", dist.Normal(0.0, 1.0))
            numpyro.sample("y", dist.Poisson(jnp.exp(mu + tau * z)), obs=y)

    return model


MODELS: dict[str, Callable[..., Any]] = {
    "eight_schools": eight_schools,
    "radon": radon,
    "logistic": logistic,
    "mixture": mixture,
    "gp": gp,
    "poisson": poisson,
}
