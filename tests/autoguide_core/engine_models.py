"""Models written by hand for the posteriors of the reference database, and their references."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import torch

from autoguide_core.distributions import Flat, Ordered

POSTERIORS = Path(__file__).parents[3] / "shared" / "posteriors"
AVAILABLE = POSTERIORS.is_dir()


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((POSTERIORS / f"{name}.data.json").read_text())
    return data


def tensor(values: Any) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


def design(*columns: Any) -> torch.Tensor:
    rows = len(columns[0])
    return torch.stack([torch.ones(rows), *(tensor(column) for column in columns)], dim=1)


def linear(X: torch.Tensor, y: torch.Tensor, scale: dist.Distribution) -> None:  # noqa: N803
    beta = pyro.sample("beta", Flat().expand([X.shape[1]]).to_event(1))
    sigma = pyro.sample("sigma", scale)
    with pyro.plate("data", len(y)):
        pyro.sample("y", dist.Normal(X @ beta, sigma), obs=y)


def linear_with_priors(X: torch.Tensor, y: torch.Tensor) -> None:  # noqa: N803
    beta = pyro.sample("beta", dist.Normal(0.0, 10.0).expand([X.shape[1]]).to_event(1))
    sigma = pyro.sample("sigma", dist.HalfNormal(10.0))
    with pyro.plate("data", len(y)):
        pyro.sample("y", dist.Normal(X @ beta, sigma), obs=y)


def logistic(X: torch.Tensor, y: torch.Tensor) -> None:  # noqa: N803
    beta = pyro.sample("beta", Flat().expand([X.shape[1]]).to_event(1))
    with pyro.plate("data", len(y)):
        pyro.sample("y", dist.Bernoulli(logits=X @ beta), obs=y)


def poisson(year: torch.Tensor, count: torch.Tensor) -> None:
    alpha = pyro.sample("alpha", dist.Uniform(-20.0, 20.0))
    beta = [pyro.sample(f"beta{i}", dist.Uniform(-10.0, 10.0)) for i in (1, 2, 3)]
    log_rate = alpha + beta[0] * year + beta[1] * year**2 + beta[2] * year**3
    with pyro.plate("data", len(count)):
        pyro.sample("C", dist.Poisson(log_rate.exp()), obs=count)


def eight_schools(y: torch.Tensor, sigma: torch.Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("school", len(y)):
        theta_trans = pyro.sample("theta_trans", dist.Normal(0.0, 1.0))
        theta = pyro.deterministic("theta", mu + tau * theta_trans)
        pyro.sample("y", dist.Normal(theta, sigma), obs=y)


def eight_schools_centred(y: torch.Tensor, sigma: torch.Tensor) -> None:
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("school", len(y)):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, sigma), obs=y)


def mixture(y: torch.Tensor) -> None:
    mu = pyro.sample("mu", Ordered(dist.Normal(0.0, 2.0).expand([2])))
    sigma = pyro.sample("sigma", dist.HalfNormal(2.0).expand([2]).to_event(1))
    theta = pyro.sample("theta", dist.Beta(5.0, 5.0))
    with pyro.plate("data", len(y)):
        weights = torch.stack([theta, 1.0 - theta], dim=-1)
        which = pyro.sample("k", dist.Categorical(weights), infer={"enumerate": "parallel"})
        first = (which == 0).to(y.dtype)
        loc = mu[..., 0] * first + mu[..., 1] * (1.0 - first)
        scale = sigma[..., 0] * first + sigma[..., 1] * (1.0 - first)
        pyro.sample("y", dist.Normal(loc, scale), obs=y)


def case(posterior: str) -> tuple[Callable[..., None], tuple[Any, ...]]:
    """A model of a reference posterior and its arguments."""
    data = load(posterior.split("-")[0])
    if posterior == "earnings-earn_height":
        return linear, (design(data["height"]), tensor(data["earn"]), Flat(0.0))
    if posterior == "kidiq-kidscore_interaction":
        hs, iq = tensor(data["mom_hs"]), tensor(data["mom_iq"])
        return linear, (design(hs, iq, hs * iq), tensor(data["kid_score"]), dist.HalfCauchy(2.5))
    if posterior == "mesquite-mesquite":
        names = ("diam1", "diam2", "canopy_height", "total_height", "density", "group")
        return linear, (design(*(data[n] for n in names)), tensor(data["weight"]), Flat(0.0))
    if posterior == "sblrc-blr":
        return linear_with_priors, (tensor(data["X"]), tensor(data["y"]))
    if posterior == "wells_data-wells_dist":
        return logistic, (design(data["dist"]), tensor(data["switched"]))
    if posterior == "GLM_Poisson_Data-GLM_Poisson_model":
        return poisson, (tensor(data["year"]), tensor(data["C"]))
    if posterior == "eight_schools-eight_schools_noncentered":
        return eight_schools, (tensor(data["y"]), tensor(data["sigma"]))
    if posterior == "low_dim_gauss_mix-low_dim_gauss_mix":
        return mixture, (tensor(data["y"]),)
    raise KeyError(posterior)


def deviations(
    posterior: str, sites: Mapping[str, torch.Tensor]
) -> tuple[int, float, float, float]:
    """Parameters compared, worst |mean difference| / sd, least and greatest ratio of sds."""
    reference = json.loads((POSTERIORS / f"{posterior}.json").read_text())["parameters"]
    differences, ratios = [], []
    for name, value in sites.items():
        draws = value.double().numpy()
        for index in np.ndindex(draws.shape[1:]):
            label = name + (f"[{','.join(str(i + 1) for i in index)}]" if index else "")
            if label in reference:
                column = draws[(slice(None), *index)]
                mean, sd = reference[label]["mean"], reference[label]["sd"]
                differences.append(abs(float(column.mean()) - mean) / sd)
                ratios.append(float(column.std()) / sd)
    return len(differences), max(differences), min(ratios), max(ratios)
