"""The mean of the ELBO and of its gradient at a guide's first values: stock Pyro's, an engine's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyro
import torch

from autoguide_core import FitSettings, fit

_RATE = 1e-11
"""So small a step leaves the parameters where they are; the sum of steps is that of gradients."""


@dataclass(frozen=True)
class Moments:
    """Means of an estimator over many steps.

    Attributes:
        elbo: The mean of the ELBO.
        error: The standard error of that mean.
        slopes: The mean of the loss's gradient, by parameter, unconstrained.
        errors: Their standard errors; empty where they are not known.
    """

    elbo: float
    error: float
    slopes: dict[str, torch.Tensor]
    errors: dict[str, torch.Tensor]


def of_stock(model: Any, guide: Any, elbo: Any, count: int) -> Moments:
    """Return the moments of stock Pyro's estimator; the guide is set up by now."""
    losses: list[float] = []
    total: dict[str, torch.Tensor] = {}
    squares: dict[str, torch.Tensor] = {}
    for _ in range(count):
        losses.append(-float(elbo.loss_and_grads(model, guide)))
        for name, parameter in pyro.get_param_store().named_parameters():
            slope = parameter.new_zeros(parameter.shape)
            if parameter.grad is not None:
                slope, parameter.grad = parameter.grad.detach().clone(), None
            total[name] = total.get(name, 0.0) + slope
            squares[name] = squares.get(name, 0.0) + slope**2
    means = {name: value / count for name, value in total.items()}
    errors = {
        name: ((squares[name] / count - mean**2).clamp(min=0.0) / count).sqrt()
        for name, mean in means.items()
    }
    error = float(np.std(losses)) / math.sqrt(count)
    return Moments(float(np.mean(losses)), error, means, errors)


def of_engine(model: Any, guide: Any, engine: str, particles: int, steps: int) -> Moments:
    """Return the moments of an engine's steps, and put the parameters back where they were.

    Raises:
        FitError: If the engine refuses the model.
    """
    store = pyro.get_param_store()
    before = {name: value.detach().clone() for name, value in store.named_parameters()}
    settings = FitSettings(
        steps=steps,
        optimizer="SGD",
        optimizer_options={"lr": _RATE},
        schedule="constant",
        averaging=False,
        method="adam",
        engine=engine,
        particles=particles,
        seed=11,
    )
    result = fit(model, guide, (), {}, settings=settings)
    after = result.store["params"]
    slopes = {name: (before[name] - after[name].detach()) / (_RATE * steps) for name in before}
    with torch.no_grad():
        for name, value in before.items():
            after[name].copy_(value)
            store._params[name].copy_(value)
    elbo = np.asarray(result.elbo, float)
    return Moments(float(elbo.mean()), float(elbo.std()) / math.sqrt(len(elbo)), slopes, {})


def apart(found: Moments, stock: Moments, share: float) -> tuple[float, str]:
    """Return by how many standard errors two means differ the most, and in what.

    Args:
        found: An engine's moments.
        stock: Stock Pyro's.
        share: The errors of the engine's mean gradient as a share of stock Pyro's.
    """
    return max((abs(elbo_apart(found, stock)), "the ELBO"), slopes_apart(found, stock, share))


def elbo_apart(found: Moments, stock: Moments) -> float:
    """Return by how many standard errors an engine's mean ELBO lies above stock Pyro's."""
    scale = math.hypot(found.error, stock.error) + 1e-6 * (1 + abs(stock.elbo))
    return (found.elbo - stock.elbo) / scale


def slopes_apart(found: Moments, stock: Moments, share: float) -> tuple[float, str]:
    """Return the same for the gradients, at their worst entry; arguments as those of `apart`."""
    worst = 0.0, "no gradient"
    for name, slope in stock.slopes.items():
        if name not in found.slopes:
            return math.inf, f"{name}, which is not there"
        error = stock.errors[name] * math.sqrt(1 + share**2) + 1e-5 * (1 + slope.abs())
        far = ((found.slopes[name] - slope).abs() / error).max() if slope.numel() else 0.0
        worst = max(worst, (float(far), f"the gradient of {name}"))
    return worst
