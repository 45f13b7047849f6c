"""The step of one fit as the step of many: one graph for all, whose tensors have an axis more.

A fit whose ELBO is not a finite number stands still for that step; the others go on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.fx import GraphModule

from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.many.feed import Feed
from autoguide_core.engine.many.rules import replace_operations
from autoguide_core.engine.stepping.capture import (
    CHANGES,
    capture,
    pure_graph,
    record_function,
)
from autoguide_core.engine.stepping.draws import Draw
from autoguide_core.engine.stepping.step import State, Step
from autoguide_core.engine.stepping.step_graph import StepGraph

WINDOW = 64
"""Steps whose ELBOs the state holds: a runner hands out one number a step, not one for each fit."""

ALIVE, ELBO = "many.alive", "many.elbo"
"""Parts of the state of many: which fits still step (R,), and their ELBOs (WINDOW, R)."""


@dataclass(frozen=True)
class Single:
    """The recorded step of one fit.

    Attributes:
        graph: Its placeholders are state, noise, row and then the data that differ.
        names: The names of the state's tensors, in the order of the placeholders.
        draws: What a step draws.
    """

    graph: GraphModule
    names: tuple[str, ...]
    draws: tuple[Draw, ...]


def record_single(
    step: Step,
    feed: Feed,
    data: Sequence[Tensor],
    state: State,
    noise: Sequence[Tensor],
    row: Tensor,
) -> Single:
    """Record a step of one fit.

    Args:
        step: The step, with its draws discovered.
        feed: What its model and guide are called with.
        data: The tensors among that which are to become inputs of the graph; all others become
            constants of it. The model's Python cannot read numbers off them.
        state: The state at the start; the leaves are views of its ``theta``.
        noise: The noise of one step.
        row: A row of the optimizer.

    Raises:
        Untraceable: If the step cannot be recorded.
    """
    names = tuple(sorted(state))
    count = len(names) + len(noise)

    def whole(*inputs: Tensor) -> tuple[Tensor, ...]:
        values = dict(zip(names, inputs, strict=False))
        with feed.exchanged(data, inputs[count + 1 :]):
            new, elbo = step(values, inputs[len(names) : count], inputs[count])
        return (*(new[name] for name in names), elbo)

    inputs = {
        **{name.replace(".", "_"): state[name] for name in names},
        **{f"noise_{place}": drawn for place, drawn in enumerate(noise)},
        "row": row,
        **{f"data_{place}": tensor for place, tensor in enumerate(data)},
    }
    recording, again = (
        record_function(whole, list(inputs.values()), step.leaves) for _ in range(2)
    )
    if again.actions != recording.actions:
        raise Untraceable(CHANGES)
    graph = pure_graph(recording, inputs, step.leaves, "theta")
    replace_operations(graph)
    return Single(graph, names, step.draws)


def start_of_many(starts: Sequence[Mapping[str, Tensor]], elbo_dtype: torch.dtype) -> State:
    """The state of many fits from the states of each."""
    first = starts[0]["theta"]
    state = {name: torch.stack([start[name] for start in starts]) for name in starts[0]}
    alive = torch.ones(len(starts), dtype=torch.bool, device=first.device)
    elbo = torch.full((WINDOW, len(starts)), torch.nan, dtype=elbo_dtype, device=first.device)
    return {**state, ALIVE: alive, ELBO: elbo}


def graph_of_many(
    single: Single,
    state: State,
    noise: Sequence[Tensor],
    row: Tensor,
    data: Sequence[Tensor],
    *,
    is_noise_shared: bool,
) -> StepGraph:
    """Record the step of many fits.

    Args:
        single: The step of one.
        state: The state of many.
        noise: The noise of one step, with an axis for the fits in front unless it is shared.
        row: The row of one fit, and one number more: the place of the step in the window.
        data: The data that differ, with an axis for the fits in front. What is computed from them
            alone is computed once.
        is_noise_shared: Whether all fits take the same noise.

    Returns:
        The graph. The number that it gives is the sum of the ELBOs of all fits that have made the
        step.

    Raises:
        Untraceable: If an operation cannot be done for many at once.
    """
    names = tuple(sorted(state))
    in_dims = (
        *[0 for _ in single.names],
        *[None if is_noise_shared else 0 for _ in noise],
        None,
        *[0 for _ in data],
    )
    together = torch.vmap(single.graph, in_dims=in_dims)
    positions = torch.arange(WINDOW, dtype=row.dtype, device=row.device).unsqueeze(1)

    def step(*inputs: Tensor) -> tuple[Tensor, ...]:
        old = dict(zip(names, inputs, strict=False))
        drawn, numbers = inputs[len(names) : -1], inputs[-1]
        values = [old[name] for name in single.names]
        *changed, elbo = together(*values, *drawn, numbers[:-1], *data)
        alive = elbo.isfinite()
        new = {
            name: torch.where(_beside(alive, value), value, old[name])
            for name, value in zip(single.names, changed, strict=True)
        }
        told = torch.where(alive, elbo, torch.nan)
        window = torch.where(positions == numbers[-1], told, old[ELBO])
        new |= {ALIVE: alive, ELBO: window}
        return (*(new[name] for name in names), torch.where(alive, elbo, 0.0).sum())

    inputs = {
        **{name.replace(".", "_"): state[name] for name in names},
        **{f"noise_{place}": one for place, one in enumerate(noise)},
        "row": row,
    }
    with _without_loops():
        graph = capture(step, inputs, (), "theta")
    return StepGraph(graph, names, _widened(single.draws, noise))


@contextlib.contextmanager
def _without_loops() -> Iterator[None]:
    """Let an operation that vmap knows no rule for be an error.

    Otherwise it would be written out once for each fit, and compiled as often.
    """
    functorch = torch._C._functorch
    before = functorch._is_vmap_fallback_enabled()
    functorch._set_vmap_fallback_enabled(False)
    try:
        yield
    finally:
        functorch._set_vmap_fallback_enabled(before)


def _beside(alive: Tensor, value: Tensor) -> Tensor:
    """The mask (R,) in a shape that broadcasts with a tensor (R, …)."""
    return alive.reshape(-1, *[1] * (value.dim() - 1))


def _widened(draws: Sequence[Draw], noise: Sequence[Tensor]) -> tuple[Draw, ...]:
    """The draws in the shapes that they have for many; repeats between fits are no matter."""
    kinds = {"minibatch": "integers"}
    return tuple(
        replace(draw, kind=kinds.get(draw.kind, draw.kind), shape=tuple(drawn.shape))
        for draw, drawn in zip(draws, noise, strict=True)
    )
