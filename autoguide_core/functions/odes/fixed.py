"""A solver of fixed steps: compiled where there is a compiler, by torch where there is none."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.native.errors import NativeUnavailable, NativeWrong
from autoguide_core.engine.native.refusals import tell
from autoguide_core.functions.odes.compiled import CompiledSteps
from autoguide_core.functions.odes.runge_kutta import Steps

Result = TypeVar("Result")


class FixedSteps:
    """Solves by fixed steps; see `autoguide_core.functions.odes.solver.Solver`.

    Args:
        steps: The method for the equation.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._compiled: dict[tuple[object, ...], CompiledSteps | Exception] = {}

    def forward(
        self,
        state: Tensor,
        starts: Tensor,
        widths: Tensor,
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
    ) -> Tensor:
        """See `Solver.forward`."""
        compiled = self._for(state, starts, widths, arguments, shared)
        if compiled is not None:
            return compiled.forward(state, starts, widths, arguments)
        states = [state]
        for start, width in zip(starts, widths, strict=True):
            states.append(self._steps.there(states[-1], start, width, arguments))
        return torch.stack(states[1:])

    def backward(
        self,
        state: Tensor,
        starts: Tensor,
        widths: Tensor,
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
        solution: Tensor,
        slopes: Tensor,
    ) -> list[Tensor]:
        """See `Solver.backward`."""
        before = torch.cat([state.unsqueeze(0), solution[:-1]])
        compiled = self._for(state, starts, widths, arguments, shared)
        if compiled is not None:
            return compiled.backward(before, starts, widths, arguments, slopes)

        def walk() -> list[Tensor]:
            own = [v for v, one in zip(arguments, shared, strict=True) if not one]
            back, *sums = (torch.zeros_like(v) for v in (state, *own))
            for at in reversed(range(len(starts))):
                back, *more = self._steps.back(
                    back + slopes[at], before[at], starts[at], widths[at], arguments, shared
                )
                sums = [one + other for one, other in zip(sums, more, strict=True)]
            return [back, *sums]

        return aside(walk)

    def _for(
        self,
        state: Tensor,
        starts: Tensor,
        widths: Tensor,
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
    ) -> CompiledSteps | None:
        """Compiled code for values of these shapes; None where there can be none."""
        if state.device.type != "cpu":
            return None
        forms = [
            tuple(v.shape) if one else tuple(v.shape[1:])
            for v, one in zip(arguments, shared, strict=True)
        ]
        key = (state.dtype, tuple(state.shape[1:]), tuple(forms), tuple(shared))
        if key not in self._compiled:
            try:
                self._compiled[key] = aside(
                    lambda: CompiledSteps(self._steps, state, (starts, widths), arguments, shared)
                )
            except (NativeUnavailable, Untraceable) as error:
                self._compiled[key] = error.with_traceback(None)
        found = self._compiled[key]
        if isinstance(found, NativeWrong):
            tell(str(found))  # at each fit
        return None if isinstance(found, Exception) else found


def aside(function: Callable[[], Result]) -> Result:
    """Run a function in a thread of its own, where gradients can be taken.

    An operation's kernel runs below autograd, and perhaps in the midst of a recording or of a
    transform of ``torch.func``; another thread knows nothing of these.
    """
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(context.run, function).result()
