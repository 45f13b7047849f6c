"""Which runner makes the steps of a fit, and why not a faster one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor
from torch.fx import GraphModule

from autoguide_core.engine.errors import RequestError
from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.native import start_native
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.proof import TRIAL_STEPS
from autoguide_core.engine.stepping.cuda import CudaGraphRunner
from autoguide_core.engine.stepping.draws import SEED
from autoguide_core.engine.stepping.eager import EagerRunner, PlainRunner
from autoguide_core.engine.stepping.graph import GraphRunner
from autoguide_core.engine.stepping.noise import NoiseSource
from autoguide_core.engine.stepping.runner import PendingRunner, Runner
from autoguide_core.engine.stepping.step import State, Step
from autoguide_core.engine.stepping.step_graph import StepGraph, trace_step

_FEW_STEPS = 300
"""A fit of fewer steps is over before a graph of it would be made."""

RECORDED = frozenset({"cuda", "native", "graph"})
"""The runners of steps that were recorded once."""


@dataclass
class Choice:
    """The runners that a step can have, each made when it is asked for.

    Attributes:
        step: The step, with its draws discovered.
        state: The state at the start.
        row: A row of the optimizer, for its shape.
        title: What the compiled code is called.
        scattered: Why the parameters could not be packed into one vector, or None. Then only
            plain Pyro can step.
        opaque: Why the step cannot be recorded, where that is known, or None.
        notes: Things worth knowing, for the user.
        obstacles: Why something faster was not to be had, for the user; filled on the way.
    """

    step: Step
    state: State
    row: Tensor
    title: str
    scattered: str | None = None
    opaque: str | None = None
    notes: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    _recorded: StepGraph | None = None
    _compiled: PendingRunner | None = None

    @property
    def graph(self) -> StepGraph:
        """The graph of the step, recorded once; raises Untraceable where there can be none."""
        if reason := self.scattered or self.opaque:
            raise Untraceable(reason)
        if self._recorded is None:
            try:
                self._recorded = trace_step(self.step, self.state, self.row)
            except Untraceable as error:
                self.opaque = error.reason
                raise
        return self._recorded

    @property
    def is_on_gpu(self) -> bool:
        """Whether a CUDA GPU makes the steps; there is no compiled code for one."""
        return bool(self.state["theta"].is_cuda)

    def graph_if_any(self) -> GraphModule | None:
        """What the step does, for comparison, or None where it cannot be recorded."""
        try:
            return self.graph.graph
        except Untraceable:
            return None

    def plain(self) -> PlainRunner:
        """Pyro as it is."""
        return PlainRunner(self.step.estimator, self.step.optimiser, self.step.leaves)

    def eager(self) -> Runner:
        """Python, with the noise given."""
        if self.scattered:
            raise Untraceable(self.scattered)
        return EagerRunner(self.step)

    def traced(self) -> Runner:
        """The graph, run by torch."""
        return GraphRunner(self.graph)

    def native(self) -> Runner:
        """The graph, compiled; waits for the compiler."""
        return self.compilation().runner()

    def replayed(self) -> Runner:
        """The graph, recorded by a GPU."""
        if not self.is_on_gpu:
            raise NativeUnavailable("the parameters are not on a GPU of CUDA")
        return CudaGraphRunner(self.graph, self.state, self.row)

    def compilation(self) -> PendingRunner:
        """Start to compile the graph; raises NativeUnavailable where that is no use."""
        if SEED in self.step.draws:
            raise NativeUnavailable("a draw of the model needs torch's own generator")
        source = NoiseSource(self.step.draws, 0, self.state["theta"].device)
        noise = source.block(0, TRIAL_STEPS)
        self._compiled = start_native(self.graph, self.state, noise, self.row, self.title)
        return self._compiled

    def prove_again(self) -> None:
        """Prove compiled steps once more, where the state is now.

        Raises:
            NativeUnavailable: If they do something else there than the graph.
        """
        if self._compiled is not None:
            self._compiled.runner()

    def named(self, engine: str) -> Runner:
        """The runner of a name.

        Raises:
            RequestError: If it cannot be had.
        """
        try:
            return _ATTEMPTS[engine](self)
        except (Untraceable, NativeUnavailable) as error:
            message = f"engine {engine!r} cannot be used: {error}"
            raise RequestError("engine", message, "engine 'auto' takes the next best") from error

    def at_once(self, steps: int) -> Runner:
        """The fastest runner that is there without waiting for a compiler."""
        if steps < _FEW_STEPS:
            return self._first_of(("eager",))
        return self._first_of(("cuda", "graph", "eager") if self.is_on_gpu else ("graph", "eager"))

    def best(self) -> Runner:
        """The fastest runner there is, waited for."""
        return self._first_of(("cuda" if self.is_on_gpu else "native", "graph", "eager"))

    def _first_of(self, names: tuple[str, ...]) -> Runner:
        """The first runner that can be had; its note says why it is not the one before."""
        reason = ""
        for name in (*names, "plain"):
            try:
                runner = _ATTEMPTS[name](self)
            except (Untraceable, NativeUnavailable) as error:
                reason = reason or str(error)
                continue
            if reason:
                self.obstacles.append(f"{_WORDS[name]}: {reason}")
            return runner
        raise AssertionError("plain Pyro can always step")


_ATTEMPTS: dict[str, Callable[[Choice], Runner]] = {
    "cuda": Choice.replayed,
    "native": Choice.native,
    "graph": Choice.traced,
    "eager": Choice.eager,
    "plain": Choice.plain,
}

_WORDS = {
    "graph": "stepped by the graph, not compiled",
    "eager": "stepped eagerly",
    "plain": "stepped by plain Pyro",
}
