"""The first step of each of many fits, made by Python: what their common graph must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch import Tensor

from autoguide_core.engine.estimators import Untraceable, make_estimator
from autoguide_core.engine.kept import kept_values, what_changed
from autoguide_core.engine.many.feed import Feed
from autoguide_core.engine.many.graph import ALIVE, Single, record_single
from autoguide_core.engine.many.member import Member
from autoguide_core.engine.stepping.draws import SEED
from autoguide_core.engine.stepping.loop import Plan
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.parameters import obstacle_to_packing, packed
from autoguide_core.engine.stepping.step import State, Step, copied
from autoguide_core.engine.stepping.step_graph import StepGraph
from autoguide_core.engine.stepping.supply import discover
from autoguide_core.engine.structure import Model, parameters
from autoguide_core.validation import Validation

_AGREEMENT = {torch.float64: 1e-7, torch.float32: 2e-3}
"""How near the graph of many comes to each fit's own step, relative to the greatest entry."""

_UNLIKE = "they differ in their sites or parameters"
_DIFFERENT = "the model or the guide makes other steps for each of them"


@dataclass(frozen=True)
class FirstStep:
    """The first step of one fit.

    Attributes:
        leaves: The parameters by name.
        step: The step, with its draws discovered.
        state: The state before it.
        new: The state after it.
        elbo: Its ELBO.
        single: The recorded step, of the first fit only.
        notes: What the user should know of its estimator.
    """

    leaves: dict[str, Tensor]
    step: Step
    state: State
    new: State
    elbo: Tensor
    single: Single | None
    notes: list[str]


def first_step(
    model: Model,
    member: Member,
    plan: Plan,
    particles: int,
    data: Sequence[Tensor],
    like: FirstStep | None = None,
) -> FirstStep:
    """Make the first step of a fit, which changes nothing.

    Args:
        model: The model.
        member: The fit, already set up.
        plan: Its optimizer and its schedule.
        particles: Draws from the guide per estimate.
        data: The tensors that become inputs of the graph.
        like: The first fit's; None for the first itself, which alone is recorded.

    Raises:
        Untraceable: If there can be no graph of a step, or the fits are too different for one.
    """
    assert member.structure is not None
    if member.structure.enumerated and isinstance(poutine.unwrap(member.guide), Messenger):
        raise Untraceable("a guide that is a messenger cannot enumerate sites")
    with member.surroundings(), Validation(False):
        watched = parameters()
        if like is not None:  # a guide that was set up twice may tell of them in another order
            if watched.keys() != like.leaves.keys():
                raise Untraceable(_UNLIKE)
            watched = {name: watched[name] for name in like.leaves}
        leaves = tuple(watched.values())
        if not leaves:
            raise Untraceable("there is no parameter to fit")
        if reason := obstacle_to_packing(leaves):
            raise Untraceable(reason)
        feed = Feed(member.args, member.kwargs)
        fed = feed.to(model), feed.to(member.guide)
        estimator, notes = make_estimator(member.structure, *fed, (), {}, particles=particles)
        with packed(leaves) as theta:
            step = Step(estimator, plan.optimiser, leaves)
            if like is None:
                roots = model, member.guide, member.args, member.kwargs
                kept = kept_values(*roots)
                draws = discover(lambda: step.gradient(estimator.start()))
                if reason := what_changed(kept, kept_values(*roots)):
                    raise Untraceable(reason)
            else:
                draws = like.step.draws
            if SEED in draws:
                raise Untraceable("a draw of the model needs torch's own generator")
            step = replace(step, draws=draws)
            state, row = step.start(theta), plan.rows(0, 1)[0].to(theta)
            noise = [d[0] for d in NoiseSource(draws, member.seed, theta.device).block(0, 1)]
            new, elbo = step(state, noise, row)
            single = record_single(step, feed, data, state, noise, row) if like is None else None
            before, after = copied(state), {n: value.detach().clone() for n, value in new.items()}
    return FirstStep(watched, step, before, after, elbo.detach(), single, notes)


def check_alike(members: Sequence[Member], firsts: Sequence[FirstStep]) -> None:
    """Check that the fits have the same sites and parameters.

    Raises:
        Untraceable: If they have not.
    """
    structures = [member.structure for member in members]
    forms = [_form(one) for one in firsts]
    if structures.count(structures[0]) < len(members) or forms.count(forms[0]) < len(members):
        raise Untraceable(_UNLIKE)


def check_agreement(
    graph: StepGraph,
    state: State,
    noise: Sequence[Tensor],
    row: Tensor,
    firsts: Sequence[FirstStep],
) -> None:
    """Check that the graph of many makes the first step of each.

    A guide may hold what belongs to one fit alone (the order of its latents in a flow, bounds of
    supports that were read off the data), which then is part of the graph.

    Raises:
        Untraceable: If it does not.
    """
    with torch.no_grad():
        outcome = graph.graph(*(state[name] for name in graph.state_names), *noise, row)
    new = dict(zip(graph.state_names, outcome, strict=False))
    for place, first in enumerate(firsts):
        if bool(new[ALIVE][place]) != bool(first.elbo.isfinite()):
            raise Untraceable(_DIFFERENT)
        if not bool(new[ALIVE][place]):
            continue
        for name, expected in first.new.items():
            if not _agree(expected, new[name][place]):
                raise Untraceable(_DIFFERENT)


def _form(first: FirstStep) -> tuple[list[tuple[str, torch.Size]], dict[str, torch.Size]]:
    shapes = [(name, leaf.shape) for name, leaf in first.leaves.items()]
    return shapes, {name: value.shape for name, value in first.state.items()}


def _agree(expected: Tensor, found: Tensor) -> bool:
    """Whether two tensors are equal but for rounding."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return False
    finite = expected.isfinite()
    if not bool(finite.any()):
        return True
    bound = _AGREEMENT.get(expected.dtype, 5e-2)
    size = expected[finite].abs().max()
    return bool(((expected - found)[finite].abs() <= bound * (size + 1e-6)).all())
