"""The ELBO and its gradient at the start of a fit, by our engine and by Pyro's estimators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, TraceGraph_ELBO
from torch import Tensor

from autoguide_core import FitSettings, fit
from benchmarks.parity.models import Case

_RATE = 1e-9
"""So small that all steps are made at the start; their sum is the mean gradient."""

_DRIFT = 1e-4
"""What the steps change all the same, relative to the values."""


@dataclass(frozen=True)
class Outcome:
    """How far both sides are apart, in standard errors.

    Attributes:
        engine: What made our steps.
        elbo: The distance of the mean ELBOs.
        gradient: The greatest distance of an entry of the mean gradient.
        parameter: The name of that entry's parameter.
        entries: How many entries were compared.
    """

    engine: str
    elbo: float
    gradient: float
    parameter: str
    entries: int

    @property
    def is_alike(self) -> bool:
        """Whether chance explains the distances: a Normal one in some thousand."""
        return abs(self.elbo) < 4.5 and self.gradient < 5.5


def compare(case: Case, engine: str, draws: int, steps: int) -> Outcome:
    """Estimate both moments on both sides, in double precision.

    Args:
        case: The model and its guide.
        engine: The engine of ours.
        draws: How often Pyro's estimator is called.
        steps: How many steps ours makes.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        pyro.clear_param_store()
        pyro.set_rng_seed(7)
        model, guide = case.make()
        elbos, mean, error = _stock(model, guide, case, draws)
        start = {name: leaf.detach().clone() for name, leaf in _leaves().items()}
        settings = FitSettings(
            steps=steps,
            optimizer="SGD",
            optimizer_options={"lr": _RATE},
            schedule="constant",
            averaging=False,
            method="adam",
            engine=engine,
            seed=11,
        )
        found = fit(model, guide, settings=settings)
        ours = {
            name: (start[name] - leaf.detach()) / (_RATE * steps)
            for name, leaf in found.store["params"].items()
        }
        assert ours.keys() == mean.keys()
        drifted = _DRIFT * abs(float(elbos.mean()))
        spread = math.sqrt(elbos.var() / draws + found.elbo.var() / steps + drifted**2)
        worst, name = max((_distance(mean[n], ours[n], error[n], draws / steps), n) for n in mean)
        return Outcome(
            found.engine,
            float((found.elbo.mean() - elbos.mean()) / spread),
            worst,
            name,
            sum(value.numel() for value in mean.values()),
        )
    finally:
        torch.set_default_dtype(before)
        pyro.clear_param_store()


def _leaves() -> dict[str, Tensor]:
    return dict(pyro.get_param_store().named_parameters())


def _stock(
    model: Any, guide: Any, case: Case, draws: int
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Pyro's ELBOs (draws,), the mean gradients of the loss, and their standard errors."""
    with torch.no_grad(), poutine.block():
        poutine.replay(model, trace=poutine.trace(guide).get_trace())()
    estimator = {
        "trace": Trace_ELBO(),
        "graph": TraceGraph_ELBO(),
        "enum": TraceEnum_ELBO(max_plate_nesting=case.depth),
    }[case.elbo]
    elbos: list[float] = []
    slopes: dict[str, list[Tensor]] = {}
    for _ in range(draws):
        elbos.append(-float(estimator.loss_and_grads(model, guide)))
        for name, leaf in _leaves().items():
            slope = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad.clone()
            slopes.setdefault(name, []).append(slope.detach())
            leaf.grad = None
    stacked = {name: torch.stack(values) for name, values in slopes.items()}
    means = {name: values.mean(0) for name, values in stacked.items()}
    errors = {name: values.std(0) / math.sqrt(draws) for name, values in stacked.items()}
    return torch.tensor(elbos), means, errors


def _distance(stock: Tensor, ours: Tensor, error: Tensor, ratio: float) -> float:
    """The greatest difference in standard errors; the drift is allowed for."""
    spread = error * math.sqrt(1 + ratio) + _DRIFT * (1 + stock.abs())
    return float(((stock - ours).abs() / spread).max()) if stock.numel() else 0.0
