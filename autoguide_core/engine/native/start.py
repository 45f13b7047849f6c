"""From the graph of a step to a runner: lowered now, compiled in the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from autoguide_core.engine.native.compilation import Compilation
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.lowering import Lowering
from autoguide_core.engine.native.passes import translated
from autoguide_core.engine.native.program import Role
from autoguide_core.engine.native.runner import NativeRunner

if TYPE_CHECKING:  # steps are compiled here, but made there
    from autoguide_core.engine.stepping.step_graph import StepGraph


class PendingNative:
    """A native runner on its way.

    Args:
        lowering: The lowered graph.
        state: The state that the runner will change in place.
        title: What the cache calls the code.
    """

    def __init__(self, lowering: Lowering, state: Mapping[str, torch.Tensor], title: str) -> None:
        self._lowering = lowering
        self._state = state
        self._translation = translated(lowering)
        self._compilation = Compilation.start(self._translation.source, title)

    @property
    def note(self) -> str:
        """What a user should know of the compilation, if anything."""
        return self._compilation.note

    def ready(self) -> bool:
        """Whether ``runner`` would answer at once."""
        return self._compilation.done()

    def runner(self) -> NativeRunner:
        """Wait for the runner.

        Raises:
            NativeUnavailable: If the compiler failed.
        """
        return NativeRunner(
            self._compilation.result(),
            self._translation.program,
            self._translation.memory,
            self._lowering.constants,
            self._lowering.foreign,
            self._state,
        )

    def cancel(self) -> None:
        """Stop the compiler."""
        self._compilation.cancel()


def start_native(
    step_graph: StepGraph,
    state: Mapping[str, torch.Tensor],
    noise: Sequence[torch.Tensor],
    row: torch.Tensor,
    title: str,
) -> PendingNative:
    """Lower the graph of a step to C++ and start to compile it.

    Args:
        step_graph: The graph.
        state: The state that the steps will change in place.
        noise: The draws of one step.
        row: The numbers of one step.
        title: What the cache calls the code.

    Returns:
        The runner to be.

    Raises:
        NativeUnavailable: If there is no compiler, or the graph cannot be lowered.
    """
    roles: list[Role] = ["state" for _ in step_graph.state_names]
    roles += ["noise" for _ in noise]
    roles.append("row")
    ordered = {name: state[name] for name in step_graph.state_names}
    if any(tensor.device.type != "cpu" for tensor in ordered.values()):
        raise NativeUnavailable("the tensors are not on the CPU")
    example = [*ordered.values(), *noise, row]
    return PendingNative(Lowering(step_graph.graph, example, roles), ordered, title)
