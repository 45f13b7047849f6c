"""Steps there and back as compiled code.

They are compiled as the step of a fit is: what goes from step to step, the state or the slopes, is
the engine's state; the steps' times are its noise. The way back is the gradient of the steps that
were made, not of the equation, so it belongs to the values to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

import torch
from torch import Tensor

from autoguide_core.engine.native import start_native
from autoguide_core.engine.native.proof import TRIAL_STEPS
from autoguide_core.engine.native.start import PendingNative
from autoguide_core.engine.stepping.capture import capture
from autoguide_core.engine.stepping.step_graph import StepGraph
from autoguide_core.functions.odes.runge_kutta import Steps

LANES = 16
"""Lanes that compiled code carries along together; more are taken in turns."""


class CompiledSteps:
    """Steps of one method for one equation, for values of certain shapes.

    Its memory is its own, so threads take turns.

    Args:
        steps: What is compiled.
        state: A state (B, *event), for its type and shape, and to prove the code with.
        times: When the steps begin and how wide they are, each (G, B), likewise.
        arguments: Arguments, likewise.
        shared: Which of them all lanes share.

    Raises:
        NativeUnavailable: If there is no compiler, or what it makes is wrong.
        Untraceable: If the derivative cannot be recorded.
    """

    def __init__(
        self,
        steps: Steps,
        state: Tensor,
        times: Sequence[Tensor],
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
    ) -> None:
        self._shared = list(shared)
        self._turn = Lock()
        self._there = [_for_lanes(state), *self._lanes(arguments)]
        self._slopes = [_for_lanes(state), *self._own(self._there[1:])]
        self._arguments = self._lanes(arguments)
        now = _spread(state)
        values, alike = [state, *arguments], [False, *shared]
        for place, value, one in zip(self._there, values, alike, strict=True):
            place.copy_(value if one else _spread(value))
        for place, value in zip(self._arguments, self._there[1:], strict=True):
            place.copy_(value)
        for sums in self._slopes:
            sums.copy_(torch.cos(torch.arange(sums.numel()).to(sums)).view(sums.shape))
        by_step = [_first_steps(value) for value in times]
        nows = now.expand(TRIAL_STEPS, *now.shape)
        arriving = self._slopes[0].flip(0).expand(TRIAL_STEPS, *now.shape)

        def there(*inputs: Tensor) -> tuple[Tensor, ...]:
            before, *given, start, width, row = inputs
            after = steps.there(before, start, width, given)
            return (after, *given, after.reshape(-1) + row.sum())

        def back(*inputs: Tensor) -> tuple[Tensor, ...]:
            (slopes, *sums), others = inputs[: len(self._slopes)], inputs[len(self._slopes) :]
            *given, start, width, before, arriving, row = others
            found, *more = steps.back(slopes + arriving, before, start, width, given, shared)
            added = [one + other for one, other in zip(sums, more, strict=True)]
            return (found, *added, *given, row.sum())

        self._back = [*self._slopes, *self._arguments]
        pending = (
            _started(there, self._there, by_step),
            _started(back, self._back, (*by_step, nows, arriving)),
        )
        self._runners = tuple(one.runner() for one in pending)

    def forward(
        self, state: Tensor, starts: Tensor, widths: Tensor, arguments: Sequence[Tensor]
    ) -> Tensor:
        """The state after each step, (G, B, *event)."""
        solution = state.new_empty(len(starts), *state.shape)
        for part in _turns(len(state)):
            with self._turn:
                self._fill(self._there, [state, *arguments], [False, *self._shared], part)
                states = self._run(0, self._there, [starts[:, part], widths[:, part]])
            lanes = states.reshape(len(starts), LANES, *state.shape[1:])
            solution[:, part] = lanes[:, : len(state[part])]
        return solution

    def backward(
        self,
        before: Tensor,
        starts: Tensor,
        widths: Tensor,
        arguments: Sequence[Tensor],
        slopes: Tensor,
    ) -> list[Tensor]:
        """The slopes in the first state and in the lanes' own arguments.

        Args:
            before: The state before each step, (G, B, *event).
            starts: When each step begins, (G, B).
            widths: How long it is, (G, B).
            arguments: The derivative's arguments.
            slopes: The slopes in the state after each step, (G, B, *event).
        """
        found = [torch.empty_like(v) for v in (before[0], *self._own(arguments))]
        for part in _turns(before.shape[1]):
            backwards = [v[:, part].flip(0) for v in (starts, widths, before, slopes)]
            with self._turn:
                self._fill(self._arguments, arguments, self._shared, part)
                for sums in self._slopes:
                    sums.zero_()
                self._run(1, self._back, backwards)
                for target, sums in zip(found, self._slopes, strict=True):
                    target[part] = sums[: len(target[part])]
        return found

    def _run(self, which: int, tensors: Sequence[Tensor], by_step: Sequence[Tensor]) -> Tensor:
        rows = by_step[0].new_zeros(len(by_step[0]), 1)
        result: Tensor = self._runners[which].run(
            _named(tensors), [_padded(v) for v in by_step], rows
        )
        return result

    def _lanes(self, values: Sequence[Tensor]) -> list[Tensor]:
        return [
            torch.zeros_like(v) if one else _for_lanes(v)
            for v, one in zip(values, self._shared, strict=True)
        ]

    def _own(self, arguments: Sequence[Tensor]) -> list[Tensor]:
        return [
            torch.zeros_like(v) for v, one in zip(arguments, self._shared, strict=True) if not one
        ]

    @staticmethod
    def _fill(
        places: Sequence[Tensor], values: Sequence[Tensor], shared: Sequence[bool], part: slice
    ) -> None:
        for place, value, one in zip(places, values, shared, strict=True):
            if one:
                place.copy_(value)
            else:
                place[: len(value[part])] = value[part]


def _started(
    function: Callable[..., tuple[Tensor, ...]],
    tensors: Sequence[Tensor],
    by_step: Sequence[Tensor],
) -> PendingNative:
    """Record a step and start to compile it, given what some steps take, (K, *shape) each."""
    state, row = _named(tensors), by_step[0].new_zeros(1)
    noise = {f"noise_{place}": value[0] for place, value in enumerate(by_step)}
    graph = capture(function, {**state, **noise, "row": row}, (), "state_0")
    recorded = StepGraph(graph, tuple(state), ())
    return start_native(recorded, state, by_step, row, "equation", tuple(state))


def _named(tensors: Sequence[Tensor]) -> Mapping[str, Tensor]:
    return {f"state_{place}": value for place, value in enumerate(tensors)}


def _for_lanes(value: Tensor) -> Tensor:
    return value.new_zeros(LANES, *value.shape[1:])


def _spread(value: Tensor) -> Tensor:
    """Values of as many lanes as there are, (B, *event), repeated to fill all."""
    return value[torch.arange(LANES) % len(value)] if len(value) else _for_lanes(value)


def _first_steps(times: Tensor) -> Tensor:
    """The times (G, B) of the steps that the code is proved with, for all lanes."""
    steps = torch.arange(TRIAL_STEPS).clamp(max=len(times) - 1)
    return torch.stack([_spread(times[step]) for step in steps])


def _turns(count: int) -> list[slice]:
    return [slice(begin, begin + LANES) for begin in range(0, count, LANES)]


def _padded(by_step: Tensor) -> Tensor:
    """Values of each step, (G, B, *event), with lanes of zeros for those that are not there."""
    missing = LANES - by_step.shape[1]
    if not missing:
        return by_step
    return torch.cat([by_step, by_step.new_zeros(len(by_step), missing, *by_step.shape[2:])], 1)
