"""Runs functions of tensors as native code and beside it in torch, and compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autoguide_core.engine.native.lowering import Lowering
from autoguide_core.engine.native.program import Role
from autoguide_core.engine.native.runner import NativeRunner
from autoguide_core.engine.native.start import PendingNative
from autoguide_core.engine.stepping.capture import capture

Function = Callable[..., Any]
"""Takes the state's tensors, one step's draws and a row; returns the new state's and a number."""

ROW = torch.tensor([0.25, 2.0], dtype=torch.float64)


@dataclass
class Steps:
    """A step, recorded and compiled.

    Attributes:
        runner: The native runner; its state is ``state``.
        state: The state's tensors, which running changes.
        foreign: The operations that are left to torch.
        function: The step itself.
    """

    runner: NativeRunner
    state: dict[str, Tensor]
    foreign: list[str]
    function: Function

    def run(self, noise: Sequence[Tensor] = (), rows: Tensor | None = None) -> Tensor:
        """Run a block of steps natively."""
        return self.runner.run(self.state, noise, ROW[None] if rows is None else rows)

    def run_in_torch(
        self, noise: Sequence[Tensor] = (), rows: Tensor | None = None
    ) -> tuple[dict[str, Tensor], list[float]]:
        """What the same steps give in torch, from the present state; changes nothing."""
        values, results = [v.clone() for v in self.state.values()], []
        for k, row in enumerate(ROW[None] if rows is None else rows):
            *values, result = self.function(*values, *(drawn[k] for drawn in noise), row)
            results.append(float(result))
        return dict(zip(self.state, values, strict=True)), results


def compiled(
    function: Function, state: Mapping[str, Tensor], noise: Sequence[Tensor] = ()
) -> Steps:
    """Record, lower and compile a step.

    Args:
        function: The step.
        state: The state; the runner works on copies of its tensors.
        noise: The draws of one step, examples.
    """
    own = {name: value.clone() for name, value in state.items()}
    inputs = {**own, **{f"noise_{n}": drawn for n, drawn in enumerate(noise)}, "row": ROW}
    graph = capture(lambda *values: tuple(function(*values)), inputs, [], next(iter(own)))
    roles: list[Role] = ["state" for _ in own]
    roles += ["noise" for _ in noise]
    roles.append("row")
    lowering = Lowering(graph, list(inputs.values()), roles)
    runner = PendingNative(lowering, own, "test").runner()
    names = [str(call.operation) for call in lowering.foreign]
    return Steps(runner, own, names, function)


def distance(found: Tensor, expected: Tensor, *, of_all: bool = False) -> float:
    """The greatest relative distance in units of 1e-6 (float32) or 1e-14 (float64).

    It is relative to each number, or to the greatest of them all (``of_all``). NaN and infinity
    have to stand where they are expected; whole numbers have to be equal.
    """
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if not found.numel():
        return 0.0
    if not found.dtype.is_floating_point:
        return float("inf") if bool((found != expected).any()) else 0.0
    same = (found == expected) | (found.isnan() & expected.isnan())
    apart = (found.double() - expected.double()).abs()
    unit, floor = (1e-6, 1e-37) if found.dtype == torch.float32 else (1e-14, 1e-300)
    size = expected.double().abs()
    allowed = (size.nan_to_num(0.0, 0.0).max() if of_all else size) * unit + floor
    ratios = torch.where(same, torch.zeros_like(apart), apart / allowed)
    return float(ratios.nan_to_num(float("inf")).max())
