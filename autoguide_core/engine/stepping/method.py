"""Gradient steps on the guide's own parameters, from the first estimate to the verdict."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyro
from torch import Tensor

from autoguide_core.engine.checks import explain_failure
from autoguide_core.engine.convergence import Drift, judge
from autoguide_core.engine.distributed import Workers, share_out
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.estimators import Estimator, Untraceable, make_estimator
from autoguide_core.engine.estimators.particles import PARTICLE_PLATE
from autoguide_core.engine.interrupts import Interrupts
from autoguide_core.engine.kept import kept_values, what_changed
from autoguide_core.engine.optimisers import AVERAGE, Averaged, make_optimiser
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.refusals import at_a_good_draw
from autoguide_core.engine.result import Run
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.stepping.checkpoint import Checkpoint
from autoguide_core.engine.stepping.choice import Choice
from autoguide_core.engine.stepping.draws import Draw
from autoguide_core.engine.stepping.eager import put_values
from autoguide_core.engine.stepping.fallback import PyroEstimator
from autoguide_core.engine.stepping.fingerprint import fingerprint
from autoguide_core.engine.stepping.loop import Plan, run_steps
from autoguide_core.engine.stepping.parameters import flatten, obstacle_to_packing, packed
from autoguide_core.engine.stepping.progressed import Progressed, filled, in_words, left_out
from autoguide_core.engine.stepping.resume import Keeper
from autoguide_core.engine.stepping.runner import Runner
from autoguide_core.engine.stepping.step import SLOT, Step
from autoguide_core.engine.stepping.stepper import Stepper
from autoguide_core.engine.stepping.supply import discover
from autoguide_core.engine.structure import Model, Structure, parameters
from autoguide_core.validation import Validation

_PHASE = "variational"


def run_stepping(
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    structure: Structure,
    settings: FitSettings,
    report: Reporter,
    checkpoint: Checkpoint | None = None,
    when_prepared: Callable[[], None] = lambda: None,
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
        checkpoint: The file that the run is kept in, and goes on from if it is there.
        when_prepared: Called before the first step.

    Returns:
        The run; the parameters in the store are the fitted ones.

    Raises:
        FitError: If there is nothing to fit, the engine asked for cannot be used, or the ELBO
            stops being finite, or the checkpoint is another fit's.
    """
    watched = parameters()
    if not watched:
        frozen = " that is not frozen" if len(pyro.get_param_store()) else ""
        raise FitError(f"neither the guide nor the model has a parameter to fit{frozen}")
    rule = make_optimiser(settings.optimizer, settings.optimizer_options)
    if settings.averaging:
        rule = Averaged(rule, settings.steps)
    plan = Plan(rule, settings.schedule, settings.steps, settings.seed)
    estimator, notes, opaque = _estimator(structure, settings, model, guide, args, kwargs)
    leaves = tuple(watched.values())
    scattered = obstacle_to_packing(leaves)
    with Validation(False), _vector(leaves, scattered) as theta:
        step = Step(estimator, rule, leaves)
        kept = kept_values(model, guide, args, kwargs)
        step = Step(estimator, rule, leaves, _discovered(step))
        opaque = opaque or what_changed(kept, kept_values(model, guide, args, kwargs))
        state = step.start(theta)
        row = plan.rows(0, 1)[0].to(theta)
        choice = Choice(step, state, row, type(guide).__name__, scattered, opaque, notes)
        if (workers := Workers.present()) is not None:
            choice = share_out(choice, workers)
        drift, elbo = Drift(watched, settings.steps), np.full(settings.steps, np.nan)
        progressed, keeper = Progressed(state, elbo, drift), None
        if checkpoint is not None:
            graph = None if settings.engine == "eager" else choice.graph_if_any()
            identity = fingerprint(settings, watched, (args, kwargs), step.draws, graph)
            keeper = Keeper(checkpoint, identity, notes)
            keeper.take_up(progressed)
            if workers is not None:
                workers.agree_on("the steps that the checkpoint holds", progressed.done)
        if progressed.done < settings.steps:
            stepper = Stepper(
                choice,
                _first_runner(choice, settings, progressed, keeper),
                _ways_to_blame(structure, settings.particles, model, guide, args, kwargs),
                particles=settings.particles,
                may_change=settings.engine == "auto" and keeper is None,
            )
            with contextlib.closing(stepper), Interrupts() as interrupts:
                stepper.look_round()  # to compile a step is to run it
                when_prepared()
                writes = workers is None or workers.leads
                after_block = _after_block(report, keeper if writes else None, interrupts)
                run_steps(plan, stepper, progressed, after_block)
            leaves = stepper.leaves
        put_values(state[SLOT + AVERAGE if settings.averaging else "theta"], leaves)
    travelled = None if settings.optimizer == "SGD" else drift
    verdict = judge(filled(elbo), settings.tolerance, travelled, settings.steps)
    notes += left_out(elbo)
    return Run(
        filled(elbo),
        verdict,
        "adam",
        (*notes, *choice.obstacles),
        engine=in_words(progressed.engines),
        engine_reason=_reason(progressed.engines[-1][0], choice.obstacles, settings),
    )


def _first_runner(
    choice: Choice, settings: FitSettings, progressed: Progressed, keeper: Keeper | None
) -> Runner:
    """The runner to start with.

    With a checkpoint it is the one to stay with, since the moment of a change would not be the
    same in a run that is interrupted; and it is the one that has stepped so far.
    """
    if settings.engine != "auto":
        return choice.named(settings.engine)
    if keeper is None:
        return choice.at_once(settings.steps)
    if not progressed.engines:
        return choice.best()
    before, _ = progressed.engines[-1]
    try:
        return choice.named(before)
    except FitError:
        runner = choice.best()
        keeper.note_difference(f"another engine, {runner.name!r} instead of {before!r}")
        return runner


def _after_block(
    report: Reporter, keeper: Keeper | None, interrupts: Interrupts
) -> Callable[[Progressed], None]:
    """What is to be done between blocks: records in the checkpoint, and reports."""

    def act(progressed: Progressed) -> None:
        if keeper is not None:
            keeper.keep(progressed, now=interrupts.came)
        interrupts.act()
        done, elbo = progressed.done, progressed.elbo
        report(done, len(elbo), float(elbo[done - 1]), _PHASE)

    return act


def _estimator(
    structure: Structure,
    settings: FitSettings,
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[Estimator, list[str], str | None]:
    """The estimator, notes for the user, and why it cannot be recorded if it is Pyro's."""
    pair, particles = (structure, model, guide, args, kwargs), settings.particles
    try:
        made = make_estimator(*pair, particles=particles, analytic_kl=settings.analytic_kl)
        return *made, None
    except Untraceable as error:
        notes = ["analytic_kl has no effect: Pyro estimates the ELBO"] * settings.analytic_kl
        return PyroEstimator(*pair, particles=particles), notes, str(error)


def _discovered(step: Step) -> tuple[Draw, ...]:
    """What a step draws."""
    seeds = itertools.count()
    return at_a_good_draw(
        lambda: discover(lambda: step.gradient(step.estimator.start()), next(seeds))
    )


def _ways_to_blame(
    structure: Structure,
    particles: int,
    model: Model,
    guide: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> list[Callable[[int], FitError]]:
    """Look for the site to blame among all particles together, then in one after the other."""
    ways: list[Callable[[int], FitError]] = [partial(explain_failure, model, guide, args, kwargs)]
    if particles > 1:
        plate = pyro.plate(PARTICLE_PLATE, particles, dim=-1 - structure.max_plate_nesting)
        ways.insert(0, partial(explain_failure, plate(model), plate(guide), args, kwargs))
    return ways


@contextlib.contextmanager
def _vector(leaves: Sequence[Tensor], scattered: str | None) -> Iterator[Tensor]:
    """The vector of all parameters: their memory, or a copy of it where that cannot be."""
    if scattered:
        yield flatten(leaves)
    else:
        with packed(leaves) as theta:
            yield theta


def _reason(engine: str, obstacles: Sequence[str], settings: FitSettings) -> str:
    """Why the last steps were not made by what is fastest; empty where they were."""
    if obstacles:
        return "; ".join(obstacles)
    if engine in ("native", "cuda"):
        return ""
    return "as asked for" if settings.engine != "auto" else "over before compiled code was ready"
