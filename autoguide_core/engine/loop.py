"""Plain stochastic gradient steps on the guide's own parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyro
import torch

from autoguide_core.engine.averaging import IterateAverage
from autoguide_core.engine.checks import explain_failure
from autoguide_core.engine.convergence import Drift, Verdict, judge
from autoguide_core.engine.eager_optimiser import Optimiser
from autoguide_core.engine.elbo import make_elbo
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.schedules import rate_factor
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.structure import Model, Structure, parameters


@dataclass(frozen=True)
class Run:
    """What a method hands back to ``fit``.

    Attributes:
        elbo: The history, in nats.
        verdict: Whether it settled.
        method: The method's name.
        notes: Things worth knowing.
        guide: The guide to use from now on, where it is another than the one given.
    """

    elbo: npt.NDArray[np.float64]
    verdict: Verdict
    method: str
    notes: tuple[str, ...] = ()
    guide: Model | None = None


def run_adam(
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    structure: Structure,
    settings: FitSettings,
    report: Reporter,
    phase: str = "variational",
) -> Run:
    """Climb the ELBO with a first-order optimizer, in the present parameter store.

    Args:
        model: The model.
        guide: The guide, already set up.
        args: Positional arguments of both.
        kwargs: Keyword arguments of both.
        structure: The facts of the pair.
        settings: The settings of the fit.
        report: Where progress goes.
        phase: The phase's name in progress reports.

    Returns:
        The run; the parameters in the store are the fitted ones.

    Raises:
        FitError: If there is nothing to fit, or the ELBO stops being finite.
    """
    elbo, notes = make_elbo(structure, settings.particles, model, guide, args, kwargs)
    watched = parameters()
    if not watched:
        raise FitError("neither the guide nor the model has a parameter to fit")
    optimiser = Optimiser(settings.optimizer, list(watched.values()), settings.optimizer_options)
    average = IterateAverage(list(watched.values()), settings.steps)
    drift = Drift(watched, settings.steps)
    history = np.empty(settings.steps)
    store = pyro.get_param_store()
    stored = len(store)
    with pyro.validation_enabled(False):
        for step in range(settings.steps):
            random_state = torch.get_rng_state()
            loss = elbo.loss_and_grads(model, guide, *args, **kwargs)
            if not math.isfinite(loss):
                torch.set_rng_state(random_state)
                raise explain_failure(model, guide, args, kwargs, step + 1)
            if len(store) > stored:  # a dynamic model has made parameters on the way
                stored = len(store)
                fresh = {n: p for n, p in parameters().items() if n not in watched}
                optimiser.add(list(fresh.values()))
                average.add(list(fresh.values()))
                watched = watched | fresh
            factor = rate_factor(settings.schedule, step, settings.steps)
            optimiser.step(factor)
            average.update()
            drift.update(step, optimiser.rate * factor)
            history[step] = -loss
            report(step + 1, settings.steps, -loss, phase)
    if settings.averaging:
        average.write_back()
    travelled = None if settings.optimizer == "SGD" else drift
    verdict = judge(history, settings.tolerance, travelled, settings.steps)
    return Run(history, verdict, "adam", tuple(notes))
