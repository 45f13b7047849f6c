"""Whether the sides speak of the same model: the log density of each at one point."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.engine.data import Arrays
from benchmarks.engine.rows import Row

TOLERANCE = 1e-8
"""Relative; in float64 the libraries differ by rounding only."""


def whole(row: Row) -> Row:
    """The row with all data in each step."""
    return replace(row, static={name: v for name, v in row.static.items() if name != "batch"})


def pyro_density(row: Row, data: Arrays, values: Arrays) -> float:
    """The log joint density of the Pyro model, which ours and Pyro's side fit.

    Args:
        row: The row; its minibatches are not drawn.
        data: Its data in float64.
        values: A value for each latent site, in the site's support.
    """
    import pyro
    import torch
    from pyro import poutine

    from benchmarks.engine.models import MODELS

    args = [torch.from_numpy(array) for array in data.values()]
    given = {name: torch.as_tensor(value) for name, value in values.items()}
    model = pyro.condition(MODELS[row.model](**whole(row).static), data=given)
    return float(poutine.trace(model).get_trace(*args).log_prob_sum())


def numpyro_density(row: Row, data: Arrays, values: Arrays) -> float:
    """The log joint density of the NumPyro model; arguments as for :func:`pyro_density`."""
    import jax.numpy as jnp
    import numpyro
    from numpyro.infer.util import log_density

    from benchmarks.engine.numpyro_models import MODELS

    numpyro.enable_x64()
    args = tuple(jnp.asarray(array) for array in data.values())
    given: dict[str, Any] = {name: jnp.asarray(value) for name, value in values.items()}
    return float(log_density(MODELS[row.model](**whole(row).static), args, {}, given)[0])
