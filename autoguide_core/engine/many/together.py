"""Many fits by the same steps: prepared one by one, stepped all at once, judged one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from autoguide_core.engine.checks import explain_failure
from autoguide_core.engine.convergence import Drift, judge
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.many.first_steps import (
    FirstStep,
    check_agreement,
    check_alike,
    first_step,
)
from autoguide_core.engine.many.graph import graph_of_many, start_of_many
from autoguide_core.engine.many.member import Member
from autoguide_core.engine.many.noise import NoiseOfMany
from autoguide_core.engine.many.result import failure
from autoguide_core.engine.many.steps import ManySteps, row_of_many, run_many
from autoguide_core.engine.optimisers import AVERAGE, Averaged, make_optimiser
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.result import Run
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.stepping.choice import Choice
from autoguide_core.engine.stepping.eager import put_values
from autoguide_core.engine.stepping.loop import Plan
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.parameters import unflatten
from autoguide_core.engine.stepping.progressed import filled, left_out, stuck_at
from autoguide_core.engine.stepping.step import SLOT, State
from autoguide_core.engine.stepping.stepper import Stepper
from autoguide_core.engine.stepping.supply import supplied
from autoguide_core.engine.structure import Model

_PHASE = "variational"
_MANY_STEPS = 1_000_000
"""Steps that are worth a graph, since that of many is there anyway."""


def fit_together(
    model: Model,
    members: Sequence[Member],
    data: Sequence[Sequence[Tensor]],
    settings: FitSettings,
    report: Reporter,
) -> list[Run]:
    """Make the steps of all fits at once.

    Args:
        model: The model.
        members: The fits, all of which can start.
        data: The tensors that differ between them, each with its values in the order of the fits.
        settings: The settings of each, but for the seed.
        report: Where progress goes; the ELBO that it tells is the mean over the fits.

    Returns:
        How each went. The parameters in its store are where it came to.

    Raises:
        Untraceable: If the steps cannot be made at once; nothing is changed then.
        FitError: If the engine that is asked for cannot be used.
    """
    rule = make_optimiser(settings.optimizer, settings.optimizer_options)
    if settings.averaging:
        rule = Averaged(rule, settings.steps)
    plan = Plan(rule, settings.schedule, settings.steps, settings.seed)
    lifted = [values[0] for values in data]
    first = first_step(model, members[0], plan, settings.particles, lifted)
    firsts = [first]
    for member in members[1:]:
        firsts.append(first_step(model, member, plan, settings.particles, lifted, first))
    check_alike(members, firsts)
    state = start_of_many([first.state for first in firsts], first.elbo.dtype)
    theta = state["theta"]
    source = NoiseOfMany(first.step.draws, [member.seed for member in members], theta.device)
    obstacles: list[str] = []
    varying = [torch.stack(list(values)) for values in data]
    stepper = _stepper(plan, firsts, state, source, varying, settings, obstacles)
    drifts = [_drift(first, theta[place], settings) for place, first in enumerate(firsts)]
    run = ManySteps(state, np.full((settings.steps, len(members)), np.nan), drifts)
    with contextlib.closing(stepper):
        run_many(plan, stepper, source, run, lambda run: _tell(run, settings, report))
    outcomes = [
        _outcome(model, member, one, run, place, settings)
        for place, (member, one) in enumerate(zip(members, firsts, strict=True))
    ]
    return [
        replace(
            one,
            notes=(*first.notes, *obstacles, *one.notes),
            engine=run.engine,
            engine_reason="; ".join(obstacles),
        )
        for one in outcomes
    ]


def _stepper(
    plan: Plan,
    firsts: Sequence[FirstStep],
    state: State,
    source: NoiseOfMany,
    varying: Sequence[Tensor],
    settings: FitSettings,
    obstacles: list[str],
) -> Stepper:
    """What makes the steps of all: their graph, and in time its compiled form."""
    first = firsts[0]
    assert first.single is not None
    noise = [drawn[0] for drawn in source.block(0, 1)]
    row = row_of_many(plan.rows(0, 1).to(state["theta"]), 0)[0]
    graph = graph_of_many(
        first.single, state, noise, row, varying, is_noise_shared=source.is_shared
    )
    check_agreement(graph, state, noise, row, firsts)
    step = replace(first.step, draws=graph.draws)
    choice = Choice(step, state, row, f"{len(firsts)} fits", obstacles=obstacles, _recorded=graph)
    is_auto = settings.engine == "auto"
    # There is always a graph, so nothing slower is taken.
    runner = choice.at_once(_MANY_STEPS) if is_auto else choice.named(settings.engine)
    return Stepper(choice, runner, (), particles=settings.particles, may_change=is_auto)


def _drift(first: FirstStep, theta: Tensor, settings: FitSettings) -> Drift:
    """The drift of one fit, whose parameters are parts of its row ``theta`` of the state."""
    parts = unflatten(theta, tuple(first.leaves.values()))
    return Drift(dict(zip(first.leaves, parts, strict=True)), settings.steps)


def _tell(run: ManySteps, settings: FitSettings, report: Reporter) -> None:
    latest = run.elbo[run.done - 1]
    known = latest[np.isfinite(latest)]
    report(run.done, settings.steps, float(known.mean()) if len(known) else np.nan, _PHASE)


def _outcome(
    model: Model,
    member: Member,
    first: FirstStep,
    run: ManySteps,
    place: int,
    settings: FitSettings,
) -> Run:
    """How one fit went; its parameters are put where they came to."""
    elbo = run.elbo[:, place].copy()
    leaves = tuple(first.leaves.values())
    end, notes = stuck_at(elbo, run.done), left_out(elbo[: run.done])
    elbo = filled(elbo)
    if end is not None:
        put_values(run.state["theta"][place], leaves)
        elbo, verdict = elbo[:end], failure(_explained(model, member, first, end))
    else:
        arrived = run.state[SLOT + AVERAGE if settings.averaging else "theta"]
        put_values(arrived[place], leaves)
        drift = None if settings.optimizer == "SGD" else run.drifts[place]
        verdict = judge(elbo, settings.tolerance, drift, settings.steps)
    return Run(elbo, verdict, "adam", tuple(notes))


def _explained(model: Model, member: Member, first: FirstStep, at: int) -> FitError:
    """Why the ELBO of the step ``at`` (from 0) was no number, with the noise of that step."""
    draws = first.step.draws
    noise = NoiseSource(draws, member.seed, first.state["theta"].device).block(at, 1)
    given = [drawn[0] for drawn in noise]
    with (
        member.surroundings(),
        contextlib.suppress(Untraceable, RuntimeError, IndexError),
        supplied(draws, given, in_part=True),
    ):
        return explain_failure(model, member.guide, member.args, member.kwargs, at + 1)
    return FitError(f"the ELBO is not a finite number at step {at + 1}; try a lower learning rate")
