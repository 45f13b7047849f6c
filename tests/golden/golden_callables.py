"""The Python functions that specs of the golden cases name."""

from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints

from autoguide_core import init_to_feasible


def encoder(obs: int, y: torch.Tensor, obs_minibatch: int | None = 10) -> dict[str, Any]:
    """Draw `z` around a shift of `y`."""
    shift = pyro.param("shift", torch.tensor(0.0))
    scale = pyro.param("scale", torch.tensor(0.1), constraint=constraints.positive)
    with pyro.plate("obs", obs, subsample_size=obs_minibatch, dim=-1) as obs_index:
        return {"z": pyro.sample("z", dist.Normal(y[obs_index] + shift, scale))}


def encoder_median(obs: int, y: torch.Tensor, obs_minibatch: int | None = 10) -> dict[str, Any]:
    """Return the median of `z`."""
    return {"z": y + pyro.param("shift")}


def start() -> Any:
    """Return an init strategy."""
    return init_to_feasible
