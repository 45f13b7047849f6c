"""The runner for GPUs: many steps recorded as one CUDA graph, and replayed without Python.

To hand one operation to a GPU takes the host longer than a small operation takes the GPU. A CUDA
graph hands over thousands at once (A. Gray, "Getting started with CUDA graphs", NVIDIA 2019). It
holds addresses, not tensors: what it reads and writes must stay where it was at the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.stepping.draws import SEED
from autoguide_core.engine.stepping.step import State
from autoguide_core.engine.stepping.step_graph import StepGraph

_STEPS_IN_A_ROW = 32
"""Steps of the long recording: the host then hands over work for a millisecond or more at once."""

Recorder = Callable[[Callable[[], None], torch.device], Callable[[], None]]
"""Takes what works on fixed tensors, and their device; returns what does the same again."""


def record_on_gpu(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record what a function has a GPU do.

    The function runs twice before it is recorded, on a stream of its own: then libraries have
    their workspaces, and an operation that makes the host wait for the GPU, which no recording
    can hold, is found while that does no harm.

    Args:
        work: Works on tensors that stay where they are.
        device: Where they are.

    Returns:
        A function that has the GPU do the same again.

    Raises:
        NativeUnavailable: If it cannot be recorded.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        try:
            # The outer context comes back to the present stream even where a recording fails.
            with torch.cuda.stream(stream):
                work()
                with _waiting_forbidden():
                    work()
                with torch.cuda.graph(graph, stream=stream):
                    work()
        except RuntimeError as error:
            first = str(error).strip().split("\n")[0].rstrip(".")
            raise NativeUnavailable(f"it cannot be a CUDA graph: {first[:200]}") from error
        torch.cuda.current_stream().wait_stream(stream)
    again: Callable[[], None] = graph.replay
    return again


class CudaGraphRunner:
    """Replays recorded steps: as many long recordings as a block holds, then single steps.

    The steps work on tensors of the runner's own. State, noise and rows are copied to them and
    back, at the ends of a block and of a recording, which costs little.

    Args:
        step_graph: The graph of a whole step.
        state: The state at the start.
        row: A row of the optimizer, for its shape.
        record: Makes the recordings.

    Raises:
        NativeUnavailable: If the steps cannot be recorded.
    """

    name, halts = "cuda", False

    def __init__(
        self,
        step_graph: StepGraph,
        state: Mapping[str, Tensor],
        row: Tensor,
        *,
        record: Recorder = record_on_gpu,
    ) -> None:
        if SEED in step_graph.draws:
            raise NativeUnavailable("a draw of the model needs torch's own generator")
        self._state = {name: state[name].clone() for name in step_graph.state_names}
        self._recordings = [
            _Recording(step_graph, self._state, row, length, record)
            for length in (_STEPS_IN_A_ROW, 1)
        ]

    def run(self, state: State, noise: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Make K steps; see `Runner`."""
        elbo = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
        for name, own in self._state.items():
            own.copy_(state[name])
        done = 0
        for recording in self._recordings:
            while len(rows) - done >= recording.length:
                part = slice(done, done + recording.length)
                recording.replay([drawn[part] for drawn in noise], rows[part], elbo[part])
                done += recording.length
        for name, own in self._state.items():
            state[name].copy_(own)
        return elbo


class _Recording:
    """A fixed number of steps between fixed tensors.

    Args:
        step_graph: The graph of a whole step.
        state: The tensors of the state, which the steps change in place.
        row: A row of the optimizer.
        length: Number of steps.
        record: Makes the recording.
    """

    def __init__(
        self,
        step_graph: StepGraph,
        state: Mapping[str, Tensor],
        row: Tensor,
        length: int,
        record: Recorder,
    ) -> None:
        self.length = length
        self._graph = step_graph.graph
        self._state = tuple(state.values())
        # Zero is a value that each kind of draw can have; indices must not point anywhere.
        self._noise = [
            torch.zeros((length, *draw.shape), dtype=draw.dtype, device=row.device)
            for draw in step_graph.draws
        ]
        self._rows = row.expand(length, -1).clone()
        self._elbo = torch.zeros(length, dtype=torch.float64, device=row.device)
        with torch.no_grad():
            self._again = record(self._steps, row.device)

    def replay(self, noise: Sequence[Tensor], rows: Tensor, elbo: Tensor) -> None:
        """Make the steps with their noise and rows, and write their ELBOs to ``elbo``."""
        for own, given in zip([*self._noise, self._rows], [*noise, rows], strict=True):
            own.copy_(given)
        with torch.no_grad():
            self._again()
        elbo.copy_(self._elbo)

    def _steps(self) -> None:
        values: Sequence[Tensor] = self._state
        for k in range(self.length):
            given = [drawn[k] for drawn in self._noise]
            *values, elbo = self._graph(*values, *given, self._rows[k])
            self._elbo[k].copy_(elbo)
        for own, value in zip(self._state, values, strict=True):
            own.copy_(value)


@contextmanager
def _waiting_forbidden() -> Iterator[None]:
    """Let operations that wait for the GPU raise RuntimeError while inside."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
