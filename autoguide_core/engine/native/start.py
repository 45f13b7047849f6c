"""From the graph of a step to a runner: lowered now, compiled in the background, then proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch

from autoguide_core.engine.native import evidence
from autoguide_core.engine.native.compilation import Compilation
from autoguide_core.engine.native.errors import NativeUnavailable, NativeWrong
from autoguide_core.engine.native.evidence import Subject
from autoguide_core.engine.native.lowering import Lowering
from autoguide_core.engine.native.passes import translated
from autoguide_core.engine.native.program import Role
from autoguide_core.engine.native.proof import Trial, prove
from autoguide_core.engine.native.refusals import tell
from autoguide_core.engine.native.runner import NativeRunner

if TYPE_CHECKING:  # steps are compiled here, but made there
    from autoguide_core.engine.stepping.step_graph import StepGraph


class PendingNative:
    """A native runner on its way, which is proved before it is handed out.

    Args:
        lowering: The lowered graph.
        state: The state that the runner will change in place.
        title: What the cache calls the code.
        noise: For each draw of a step, those of the steps to prove it with, (K, *shape); by
            default the lowering's example, again and again.
        moved: The names of the state's tensors that a proof may move.
    """

    def __init__(
        self,
        lowering: Lowering,
        state: Mapping[str, torch.Tensor],
        title: str,
        noise: Sequence[torch.Tensor] | None = None,
        moved: Sequence[str] = (),
    ) -> None:
        self._lowering = lowering
        self._state = state
        self._noise, self._moved = noise, moved
        self._translation = translated(lowering)
        self._compilation = Compilation.start(self._translation.source, title)

    @property
    def note(self) -> str:
        """What a user should know of the compilation, if anything."""
        return self._compilation.note

    def ready(self) -> bool:
        """Whether ``runner`` would answer at once, but for the proof."""
        return self._compilation.done()

    def runner(self) -> NativeRunner:
        """Wait for the runner.

        It is proved beside the graph at the state as it is now, on copies.

        Raises:
            NativeUnavailable: If the compiler failed, or the code does something else than the
                graph.
        """
        library = self._compilation.result()

        def on(state: Mapping[str, torch.Tensor], *, spoilt: bool = False) -> NativeRunner:
            parts = (made.program, made.memory, lowering.constants, lowering.foreign)
            return NativeRunner(library, *parts, state, spoilt=spoilt)

        lowering, made = self._lowering, self._translation
        record = self._compilation.record
        tensors = [*lowering.example, *lowering.constants]
        subject = Subject.of(tensors, lowering.foreign, torch.get_num_threads())
        difference = evidence.difference(record, subject)
        if not difference:
            again = evidence.is_proved(record, subject)
            trial = Trial.of(self._state, lowering.example[len(self._state) :], self._noise)
            outcome = prove(
                lowering.graph, partial(on, spoilt=True), trial, self._moved, again=again
            )
            difference = outcome.difference
            if difference:
                evidence.note_wrong(record, subject, difference)
            elif outcome.is_complete and not again:
                evidence.note_proved(record, subject)
        if difference:
            wrong = NativeWrong(difference, record.stem)
            tell(str(wrong))
            raise wrong
        return on(self._state)

    def cancel(self) -> None:
        """Stop the compiler."""
        self._compilation.cancel()


def start_native(
    step_graph: StepGraph,
    state: Mapping[str, torch.Tensor],
    noise: Sequence[torch.Tensor],
    row: torch.Tensor,
    title: str,
    moved: Sequence[str] = ("theta",),
) -> PendingNative:
    """Lower the graph of a step to C++ and start to compile it.

    Args:
        step_graph: The graph.
        state: The state that the steps will change in place.
        noise: For each draw those of ``TRIAL_STEPS`` steps, which the code is proved with,
            (K, *shape).
        row: The numbers of one step.
        title: What the cache calls the code.
        moved: The names of the state's tensors that a proof may move a little.

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
    example = [*ordered.values(), *(drawn[0] for drawn in noise), row]
    lowering = Lowering(step_graph.graph, example, roles)
    return PendingNative(lowering, ordered, title, noise, moved)
