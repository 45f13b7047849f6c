"""The loop over blocks of steps of many fits at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autoguide_core.engine.convergence import Drift
from autoguide_core.engine.many.graph import ELBO, WINDOW
from autoguide_core.engine.many.noise import NoiseOfMany
from autoguide_core.engine.stepping.loop import Plan
from autoguide_core.engine.stepping.pace import Pace
from autoguide_core.engine.stepping.progressed import Engines, in_words, stuck_at
from autoguide_core.engine.stepping.runner import Runner
from autoguide_core.engine.stepping.step import State, copied, restore
from autoguide_core.engine.stepping.stepper import Stepper


@dataclass
class ManySteps:
    """How far many fits have come.

    Attributes:
        state: Their state, with an axis for the fits in front.
        elbo: The ELBO in nats of each step (rows) and fit (columns); NaN where a fit left a step
            out, and stood still.
        drifts: How straight the parameters of each have travelled.
        done: Steps made.
        engines: Each runner that has stepped, with its first step (from 0).
    """

    state: State
    elbo: npt.NDArray[np.float64]
    drifts: Sequence[Drift]
    done: int = 0
    engines: Engines = field(default_factory=list)

    @property
    def are_stuck(self) -> bool:
        """Whether no fit can go on."""
        return all(stuck_at(elbo, self.done) is not None for elbo in self.elbo.T)

    @property
    def engine(self) -> str:
        """Which engines stepped, in words."""
        return in_words(self.engines)


def row_of_many(rows: Tensor, first: int) -> Tensor:
    """The rows (K, H) of one fit's steps from ``first``, and the place of each in the window."""
    places = torch.arange(first, first + len(rows), device=rows.device) % WINDOW
    return torch.cat([rows, places.to(rows).unsqueeze(1)], dim=1)


def run_many(
    plan: Plan,
    stepper: Stepper,
    source: NoiseOfMany,
    run: ManySteps,
    after_block: Callable[[ManySteps], None],
) -> None:
    """Make the steps, until all are made or no fit can go on.

    Where compiled steps prove wrong in the end, all are made again from the graph.

    Args:
        plan: The plan of each fit.
        stepper: What makes the steps of all.
        source: Their noise.
        run: Where they stand; changed in place.
        after_block: Called after each block.
    """
    state, noted = copied(run.state), [drift.record() for drift in run.drifts]
    stepper.look_round()
    _run(plan, stepper, source, run, after_block)
    if not stepper.holds():
        restore(run.state, state)
        for drift, before in zip(run.drifts, noted, strict=True):
            drift.take_up(before)
        run.elbo[:] = np.nan
        run.done, run.engines = 0, []
        _run(plan, stepper, source, run, after_block)


def _run(
    plan: Plan,
    stepper: Stepper,
    source: NoiseOfMany,
    run: ManySteps,
    after_block: Callable[[ManySteps], None],
) -> None:
    theta, stops = run.state["theta"], [stop + 1 for stop in run.drifts[0].stops]
    pace = Pace(sum(draw.numel for draw in stepper.draws))
    while run.done < plan.total and not run.are_stuck:
        first, runner = run.done, stepper.runner
        stop = min((stop for stop in stops if stop > first), default=plan.total)
        count = min(pace.next(is_waiting=stepper.is_waiting), stop - first)
        noise = source.block(first, count)
        rows = row_of_many(plan.rows(first, count).to(theta), first)
        started = time.perf_counter()
        run.elbo[first : first + count] = _elbo_of_each(runner, run.state, noise, rows, first)
        pace.took(count, time.perf_counter() - started)
        run.done = first + count
        rates = plan.rates(first, count).numpy()
        for drift in run.drifts:
            drift.update(run.done - 1, rates)
        if not run.engines or run.engines[-1][0] != runner.name:
            run.engines.append((runner.name, first))
        after_block(run)
        stepper.look_round()
        if stepper.runner is not runner:
            pace.restart()


def _elbo_of_each(
    runner: Runner, state: State, noise: Sequence[Tensor], rows: Tensor, first: int
) -> npt.NDArray[np.float64]:
    """Make a block of steps, window by window, and gather the ELBOs (K, R)."""
    gathered = []
    start = 0
    while start < len(rows):
        place = (first + start) % WINDOW
        end = min(start + WINDOW - place, len(rows))
        runner.run(state, [drawn[start:end] for drawn in noise], rows[start:end])
        told = state[ELBO][place : place + end - start]
        gathered.append(told.to("cpu", torch.float64, copy=True))  # it is written over
        start = end
    elbo: npt.NDArray[np.float64] = torch.cat(gathered).numpy()
    return elbo
