"""Gaussians fitted to one log density, all by the same compiled step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoguide_core.engine.convergence import Drift
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.interpreted import InterpretedRunner
from autoguide_core.engine.curvature.landing import LandingEstimator, split
from autoguide_core.engine.curvature.whitening import Whitening
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.optimisers import AVERAGE, Averaged, make_optimiser
from autoguide_core.engine.optimisers.clipping import Clipped
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.stepping.choice import Choice
from autoguide_core.engine.stepping.loop import Plan, run_steps
from autoguide_core.engine.stepping.progressed import Progressed
from autoguide_core.engine.stepping.runner import Runner
from autoguide_core.engine.stepping.step import CARRY, SLOT, Step, prefixed, restore
from autoguide_core.engine.stepping.stepper import Stepper
from autoguide_core.engine.stepping.supply import discover

PARTICLES = 16
_RATE, _DIMS_OF_RATE = 0.03, 60.0
"""The rate, and the dimensions from which it falls: a covariance has their square of noise."""
_CLIP = 10.0
_SHORT = 1.0
"""Seconds of evaluating the density in which a run is over before its steps would be recorded."""

Report = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution in the unconstrained space, and how it was reached.

    Attributes:
        loc: Mean, shape (D,).
        factor: A square root of the covariance, ``factor @ factor.T``, shape (D, D).
        elbo: The ELBO at each step, in nats.
        drift: The record of the parameters' travel.
        engine: What made the steps: ``graph, then native``, say.
    """

    loc: Tensor
    factor: Tensor
    elbo: npt.NDArray[np.float64]
    drift: Drift
    engine: str


class GaussianFits:
    """Maximises the ELBO over Gaussians, each time from N(0, I) in a whitened space.

    All runs make their steps in the same tensors, so that what is recorded or compiled for one
    serves all.

    Args:
        gradients: The log density.
        start: A point of finite density, near which the step is recorded, shape (D,).
        settings: Optimizer, its options, engine. At least 16 particles are used.
        repeatable: Whether nothing may depend on how long anything takes, so that the numbers of
            a repetition are the same to the last digit: compiled code is waited for.

    Attributes:
        obstacles: Why nothing faster was to be had, for the user; filled on the way.
    """

    def __init__(
        self,
        gradients: Gradients,
        start: Tensor,
        settings: FitSettings,
        *,
        repeatable: bool = False,
    ) -> None:
        self.obstacles: list[str] = []
        dim = len(start)
        self._dim, self._engine, self._repeatable = dim, settings.engine, repeatable
        rate = _RATE * min(1.0, _DIMS_OF_RATE / dim)
        options = {"lr": rate, **settings.optimizer_options}
        rule = make_optimiser(settings.optimizer, options)
        self._rule = Clipped(rule, max_norm=_CLIP * math.sqrt(dim))
        particles = max(PARTICLES, settings.particles)
        theta = torch.zeros(dim * (dim + 2), dtype=torch.float64)
        free = theta.detach().requires_grad_()
        points = start.repeat(particles, 1)
        gradients.value_and_grad(points)  # makes the graph that is to be recorded, and timed
        started = time.perf_counter()
        gradients.value_and_grad(points)
        self._seconds = time.perf_counter() - started
        self._estimator = LandingEstimator(gradients, free, start, particles)
        draws = discover(lambda: self._estimator(self._estimator.start()))
        step = Step(self._estimator, Averaged(self._rule, settings.steps), (free,), draws)
        self._state = step.start(theta)
        row = self._plan(settings).rows(0, 1)[0]
        self._choice = Choice(
            step, self._state, row, "curvature", opaque=gradients.obstacle, obstacles=self.obstacles
        )
        self._stepper: _Stepper | None = None

    def fit(
        self,
        whitening: Whitening,
        settings: FitSettings,
        report: Report,
        *,
        full_rank: bool = True,
        more_to_come: bool = False,
    ) -> Gaussian:
        """Fit once.

        Args:
            whitening: The map into the space in which one step size fits all.
            settings: Steps, schedule, seed, averaging; the rest is that of the constructor.
            report: Called with step, steps, and the ELBO.
            full_rank: Whether the Gaussian has correlations in the whitened space.
            more_to_come: Whether later runs make it worth while to record the step for this one.

        Returns:
            The Gaussian, mapped back.

        Raises:
            FitError: If the density is not a finite number at step after step.
        """
        state = self._state
        theta = state["theta"].zero_()
        carry = self._estimator.carry_of(whitening, full_rank=full_rank)
        slots = Averaged(self._rule, settings.steps).start(theta)
        restore(state, {**prefixed(SLOT, slots), **prefixed(CARRY, carry)})
        mean, log_scale, _ = split(theta, self._dim)
        drift = Drift({"loc": mean, "scale": log_scale}, settings.steps)
        progressed = Progressed(state, np.full(settings.steps, np.nan), drift)
        stepper = self._stepper
        if stepper is None:
            is_short = settings.steps * self._seconds < _SHORT and not more_to_come
            stepper = self._stepper = self._make_stepper(settings.steps, is_short=is_short)

        def after_block(progressed: Progressed) -> None:
            done, elbo = progressed.done, progressed.elbo
            report(done, len(elbo), float(elbo[done - 1]))

        run_steps(self._plan(settings), stepper, progressed, after_block)
        result = state[SLOT + AVERAGE] if settings.averaging else theta
        mean, log_scale, lower = split(result, self._dim)
        factor = whitening.matrix @ (lower + torch.diag(log_scale.exp()))
        engine = ", then ".join(name for name, _ in progressed.engines)
        return Gaussian(whitening(mean[None])[0], factor, progressed.elbo, drift, engine)

    def close(self) -> None:
        """Stop a compilation that is not needed any more."""
        if self._stepper is not None:
            self._stepper.close()

    def _plan(self, settings: FitSettings) -> Plan:
        rule = Averaged(self._rule, settings.steps)
        return Plan(rule, settings.schedule, settings.steps, settings.seed)

    def _make_stepper(self, steps: int, *, is_short: bool) -> _Stepper:
        """What makes the steps of this run and of all later ones."""
        choice, is_auto = self._choice, self._engine == "auto"
        may_change = is_auto and not self._repeatable
        interpreted = self._engine == "eager" or (may_change and is_short)
        runner: Runner
        if interpreted and choice.opaque is None:
            runner = InterpretedRunner(self._estimator, choice.step.optimiser)
        elif not is_auto:
            runner = choice.named(self._engine)
        else:
            runner = choice.at_once(steps) if may_change else choice.best()
        return _Stepper(choice, runner, (), particles=1, may_change=may_change)


class _Stepper(Stepper):
    """A stepper of one run after the other, whose troubles are all the density's."""

    is_strict = True  # the estimator leaves out draws by itself, as long as they are few

    def fall_back(self, error: Exception) -> None:
        """Give up: what Python would do on its own is what these steps do already."""
        raise FitError(f"the log density cannot be evaluated: {error}") from error

    def explain(self, *_: Any) -> FitError:
        """The error for steps in which the ELBO was not finite."""
        return FitError("the log density is not a finite number around its mode")
