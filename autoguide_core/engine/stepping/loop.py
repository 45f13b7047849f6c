"""The loop over blocks of steps: history, progress, faults, changes of runner, checkpoints."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.engine.optimisers import Optimiser, rates
from autoguide_core.engine.refusals import is_refusal
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.pace import Pace
from autoguide_core.engine.stepping.progressed import Progressed
from autoguide_core.engine.stepping.runner import Runner
from autoguide_core.engine.stepping.step import State, copied, restore
from autoguide_core.engine.stepping.stepper import Stepper

_CHUNK = 4096
"""Steps whose rates and rows are worked out together."""


@dataclass(frozen=True)
class Plan:
    """What is settled about a run before its first step.

    Attributes:
        optimiser: The update rule.
        schedule: The name of the learning-rate schedule.
        total: Number of steps.
        seed: The seed of the noise.
    """

    optimiser: Optimiser
    schedule: str
    total: int
    seed: int

    def rates(self, first: int, count: int) -> Tensor:
        """Learning rates of ``count`` steps from ``first`` (from 0), float64."""
        return torch.cat([chunk[0][part] for chunk, part in self._chunks(first, count)])

    def rows(self, first: int, count: int) -> Tensor:
        """The optimizer's rows of those steps, float64, (count, H)."""
        return torch.cat([chunk[1][part] for chunk, part in self._chunks(first, count)])

    def _chunks(self, first: int, count: int) -> Iterator[tuple[tuple[Tensor, Tensor], slice]]:
        """The chunks that hold some steps, and the part of each.

        The last elements of a vector get other last digits from torch than those before them. So
        that the numbers of a step are the same in whatever block it is made, they are worked out
        in chunks of a fixed length, whatever is asked for.
        """
        step, end = first, first + count
        while step < end:
            number, offset = divmod(step, _CHUNK)
            stop = min(_CHUNK, offset + end - step)
            yield _chunk(self, number), slice(offset, stop)
            step += stop - offset


@functools.lru_cache(maxsize=16)
def _chunk(plan: Plan, number: int) -> tuple[Tensor, Tensor]:
    """Rates and rows of the steps of a chunk; some may be beyond the last step of the run."""
    steps = torch.arange(number * _CHUNK + 1, (number + 1) * _CHUNK + 1)
    of_steps = rates(plan.schedule, plan.optimiser.lr, steps, plan.total)
    return of_steps, plan.optimiser.rows(steps, of_steps)


def run_steps(
    plan: Plan,
    stepper: Stepper,
    progressed: Progressed,
    after_block: Callable[[Progressed], None],
) -> None:
    """Make the steps that are left.

    A step whose ELBO is not a finite number, since a draw is where the model has no density, is
    left out: the state stands still. Where compiled steps prove wrong in the end, all are made
    again from the graph.

    Args:
        plan: The plan.
        stepper: What makes the steps.
        progressed: Where the run stands; changed in place.
        after_block: Called after each block.

    Raises:
        FitError: If the ELBO is not a finite number at half of the last hundred steps.
    """
    state, done = copied(progressed.state), progressed.done
    noted, engines = progressed.drift.record(), list(progressed.engines)
    stepper.look_round()
    _run(plan, stepper, progressed, after_block)
    if not stepper.holds():
        restore(progressed.state, state)
        progressed.drift.take_up(noted)
        progressed.done, progressed.engines = done, engines
        _run(plan, stepper, progressed, after_block)


def _run(
    plan: Plan,
    stepper: Stepper,
    progressed: Progressed,
    after_block: Callable[[Progressed], None],
) -> None:
    state = progressed.state
    source, pace = _source(plan, stepper, state), _pace(stepper)
    while progressed.done < plan.total:
        first, runner = progressed.done, stepper.runner
        count = min(pace.next(is_waiting=stepper.is_waiting), _next_stop(progressed, plan) - first)
        noise = source.block(first, count)
        rows = plan.rows(first, count).to(state["theta"])
        before = copied(state)
        started = time.perf_counter()
        try:
            elbo, good = _block(runner, state, before, noise, rows)
        except Exception as error:
            restore(state, before)
            stepper.fall_back(error)
            source, pace = _source(plan, stepper, state), _pace(stepper)
            continue
        if good < count:
            count, elbo[good] = good + 1, torch.nan
        pace.took(count, time.perf_counter() - started)
        progressed.elbo[first : first + count] = elbo[:count].numpy()
        progressed.done = first + count
        if good < count and (stepper.is_strict or progressed.is_stuck):
            raise stepper.explain([drawn[good] for drawn in noise], progressed.done)
        progressed.drift.update(progressed.done - 1, plan.rates(first, count).numpy())
        if not progressed.engines or progressed.engines[-1][0] != runner.name:
            progressed.engines.append((runner.name, first))
        after_block(progressed)
        stepper.look_round()
        if stepper.runner is not runner:
            pace.restart()


def _block(
    runner: Runner, state: State, before: State, noise: Sequence[Tensor], rows: Tensor
) -> tuple[Tensor, int]:
    """Make steps, and stand still before the update of the first that has no ELBO.

    Returns:
        The ELBOs of those that were made, followed by NaN, and how many were made.
    """
    try:
        elbo = runner.run(state, noise, rows).cpu()
    except Exception as error:
        if not is_refusal(error):
            raise
        elbo, good = torch.full((len(rows),), torch.nan, dtype=torch.float64), 0
        restore(state, before)
        if len(rows) > 1:  # it does not say which step has failed
            for k in range(len(rows)):
                one = slice(k, k + 1)
                given = [drawn[one] for drawn in noise]
                elbo[one], made = _block(runner, state, copied(state), given, rows[one])
                if not made:
                    break
                good += 1
        return elbo, good
    good = int(elbo.isfinite().long().cumprod(0).sum())
    if good < len(rows) and not runner.halts:
        restore(state, before)
        if good:
            runner.run(state, [drawn[:good] for drawn in noise], rows[:good])
    return elbo, good


def _source(plan: Plan, stepper: Stepper, state: Mapping[str, Tensor]) -> NoiseSource:
    return NoiseSource(stepper.draws, plan.seed, state["theta"].device)


def _pace(stepper: Stepper) -> Pace:
    return Pace(sum(draw.numel for draw in stepper.draws))


def _next_stop(progressed: Progressed, plan: Plan) -> int:
    """The step before which a block must end, since the parameters are looked at there."""
    stops = (stop + 1 for stop in progressed.drift.stops)
    return min((stop for stop in stops if stop > progressed.done), default=plan.total)
