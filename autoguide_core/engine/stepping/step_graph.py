"""One step as a graph of ATen operations, checked against the Python that it was recorded from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.fx import GraphModule

from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.refusals import is_refusal
from autoguide_core.engine.stepping.capture import CHANGES, pure_graph, record_function
from autoguide_core.engine.stepping.draws import Draw
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.step import CARRY, State, Step
from autoguide_core.engine.stepping.supply import seed_generators

_AGREEMENT = {torch.float64: 1e-7, torch.float32: 2e-3}
"""How near a graph comes to its Python, relative to the greatest entry of a tensor."""

_SHIFT = 0.03

_SEEDS = range(-1, -11, -1)
"""Of the noise that steps are recorded with: of no fit's stream."""


@dataclass(frozen=True)
class StepGraph:
    """The graph of a whole step, or of its first half.

    Attributes:
        graph: Its placeholders are, in this order, the tensors of the state, the draws of one
            step, and the row of the step. Its outputs are the new tensors of the state in the
            same order, and then the ELBO (0-d, in nats). A graph of the first half has no row,
            and its outputs are the ELBO, the gradient of the loss (D,) and the new carry.
        state_names: The names of the state's tensors, in the order of the placeholders.
        draws: What a step draws, in the order of the placeholders.
    """

    graph: GraphModule
    state_names: tuple[str, ...]
    draws: tuple[Draw, ...]


def trace_step(step: Step, state: State, row: Tensor) -> StepGraph:
    """Record a whole step.

    Args:
        step: The step, with its draws discovered.
        state: The state at the start; the leaves are views of its ``theta``.
        row: A row of the optimizer, for its shape.

    Returns:
        The graph.

    Raises:
        Untraceable: If a step cannot be recorded, or the graph does something else than Python at
            other values.
    """
    names = tuple(sorted(state))

    def whole(*inputs: Tensor) -> tuple[Tensor, ...]:
        values, noise = _sorted_out(inputs[:-1], names)
        new, elbo = step(values, noise, inputs[-1])
        return (*(new[name] for name in names), elbo)

    return _traced(step, state, names, whole, {"row": row})


def trace_gradient(step: Step, state: State) -> StepGraph:
    """Record the first half of a step, the gradient; see ``trace_step``."""
    names = tuple(sorted(n for n in state if n == "theta" or n.startswith(CARRY)))

    def half(*inputs: Tensor) -> tuple[Tensor, ...]:
        values, noise = _sorted_out(inputs, names)
        elbo, gradient, carry = step.estimate(values, noise)
        return (elbo, gradient.detach(), *(carry[name] for name in names if name != "theta"))

    return _traced(step, state, names, half, {})


def _sorted_out(inputs: Sequence[Tensor], names: Sequence[str]) -> tuple[State, Sequence[Tensor]]:
    """State and noise from the placeholders of a graph."""
    return dict(zip(names, inputs, strict=False)), inputs[len(names) :]


def _traced(
    step: Step,
    state: State,
    names: tuple[str, ...],
    function: Callable[..., tuple[Tensor, ...]],
    further: Mapping[str, Tensor],
) -> StepGraph:
    """Record a function of state and noise; with other noise where the model has no density."""
    traced = partial(_traced_with, step, state, names, function, further)
    for seed in _SEEDS[:-1]:
        try:
            return traced(seed)
        except Untraceable as error:
            if not isinstance(error.__cause__, Exception) or not is_refusal(error.__cause__):
                raise
    return traced(_SEEDS[-1])


def _traced_with(
    step: Step,
    state: State,
    names: tuple[str, ...],
    function: Callable[..., tuple[Tensor, ...]],
    further: Mapping[str, Tensor],
    seed: int,
) -> StepGraph:
    """Record a function of state and noise with one step's noise, and check it with another's."""
    first, second = _two_steps(step.draws, state["theta"].device, seed)
    inputs = {
        **{name.replace(".", "_"): state[name] for name in names},
        **{f"noise_{place}": drawn for place, drawn in enumerate(first)},
        **further,
    }
    seed_generators(step.draws, first)
    recording = record_function(function, list(inputs.values()), step.leaves)
    theta = state["theta"]
    before = theta.clone()
    try:
        theta.add_(_SHIFT * torch.sin(torch.arange(1.0, len(theta) + 1.0).to(theta)))
        values = [*(state[name] for name in names), *second, *further.values()]
        seed_generators(step.draws, second)
        again = record_function(function, values, step.leaves)
        # What Python did is compared first, since a small change may hide in the rounding.
        if again.actions != recording.actions:
            raise Untraceable(CHANGES)
        graph = pure_graph(recording, inputs, step.leaves, "theta")
        seed_generators(step.draws, second)
        with torch.no_grad():
            found = graph(*values)
    finally:
        theta.copy_(before)
    if not all(_agree(*pair) for pair in zip(again.outputs, found, strict=True)):
        raise Untraceable(CHANGES)
    return StepGraph(graph, names, step.draws)


def _two_steps(
    draws: Sequence[Draw], device: torch.device, seed: int
) -> tuple[list[Tensor], list[Tensor]]:
    """The noise of two steps."""
    blocks = NoiseSource(draws, seed, device).block(0, 2)
    return [drawn[0] for drawn in blocks], [drawn[1] for drawn in blocks]


def _agree(expected: Tensor, found: Tensor) -> bool:
    """Whether two results are equal but for rounding."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return False
    if not expected.numel():
        return True
    finite = expected.isfinite()
    if not torch.equal(finite, found.isfinite()):
        return False
    bound = _AGREEMENT.get(expected.dtype, 5e-2)
    size = expected[finite].abs().max() if bool(finite.any()) else expected.new_tensor(0.0)
    return bool(((expected - found)[finite].abs() <= bound * (size + 1e-6)).all())
