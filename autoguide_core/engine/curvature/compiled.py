"""Values and gradients of a log density as compiled code."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from autoguide_core.engine.curvature.gradients import Evaluator, Gradients, hessian_by_differences
from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.native import start_native
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.runner import NativeRunner
from autoguide_core.engine.refusals import is_refusal, refusals_left_out
from autoguide_core.engine.stepping.capture import capture
from autoguide_core.engine.stepping.step_graph import StepGraph

Vector = npt.NDArray[np.float64]

_MOST_EXACT = 100
_MOST_WORKERS = 4
_PROVED_AROUND, _WIDTH = 20, 2.0
"""Where to prove compiled code: around the start, or points drawn as samplers draw their starts."""
_PROVED_ONCE_MORE = 8
"""At how many of the points where it was used."""
_ALIKE = 1e-10
"""Relative to the greatest of a value and its slopes; what is less apart is not wrong."""
_CLOSE_BY = (0.05, 0.005, 0.0)
"""How far apart the points are there; less where the density is not finite otherwise."""


class CompiledGradients:
    """Evaluates a log density and its gradient by compiled code, some points at a time.

    The evaluation is compiled as a step is: its state holds the points that go in, and the values
    and slopes that come out. Many points are shared out among threads, each with a memory of its
    own; which of them takes a point does not change its numbers. Where one of them is found wrong
    (see `autoguide_core.engine.native.proof`), torch does the work. An evaluator itself is used by
    one thread at a time; evaluators of one density share what is compiled, by the cache on disk.

    Args:
        gradients: The density, as a graph that torch runs.
        dim: D.
        count: Points per call of the compiled code.

    Attributes:
        engine: ``native``, or ``graph`` where torch does the work.
        obstacle: Why there is no compiled code, or an empty text.
    """

    def __init__(self, gradients: Gradients, dim: int, count: int = 1) -> None:
        self.engine, self.obstacle = "graph", gradients.obstacle or ""
        self._gradients, self._dim, self._count = gradients, dim, count
        if not self.obstacle:
            try:
                self._graph = _as_step(gradients, dim, count)
                self._trial = _trial_points(gradients, count)
                self._workers = [self._worker()]
                self.engine = "native"
            except (Untraceable, NativeUnavailable) as error:
                self.obstacle = str(error)

    def value_and_grad(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluate at any number of points.

        Args:
            points: Shape (S, D), float64.

        Returns:
            Log densities (S,) and gradients (S, D).
        """
        if self.engine != "native":
            return self._gradients.value_and_grad(points)
        values, slopes = points.new_empty(len(points)), torch.empty_like(points)
        jobs = list(zip(*(t.split(self._count) for t in (points, values, slopes)), strict=True))
        if len(jobs) < 2 * _MOST_WORKERS or not self._workers[0].is_free_of_python:
            self._workers[0].evaluate(jobs)
        else:
            workers = self._all_workers()
            if not workers:
                return self._gradients.value_and_grad(points)
            shares = [jobs[place :: len(workers)] for place in range(len(workers))]
            tasks = [
                self._pool.submit(w.evaluate, share)
                for w, share in zip(workers, shares, strict=True)
            ]
            for task in tasks:
                task.result()
        return values, slopes

    def holds_at(self, points: torch.Tensor) -> bool:
        """Prove the compiled code once more, at some of the points that it was used at.

        What it does there may be another branch than at the start. Where it is wrong, torch does
        the work from then on.

        Args:
            points: Shape (S, D).

        Returns:
            Whether what it gave can be relied on, as far as it is seen.
        """
        if self.engine != "native" or not len(points):
            return True
        some = points[torch.linspace(0, len(points) - 1, _PROVED_ONCE_MORE).round().long()]
        found = _joined(self, some)
        right = torch.cat([_joined(self._gradients, point[None]) for point in some])
        size = right.nan_to_num(posinf=1.0, neginf=1.0).abs().amax(1, keepdim=True).clamp(min=1.0)
        if torch.allclose(found / size, right / size, rtol=0.0, atol=_ALIKE, equal_nan=True):
            return True
        try:  # by which it is known what rounding explains
            for point in some:
                self._workers[0].prove_at(point.expand(self._count, -1))
        except NativeUnavailable as error:
            self._take_the_graph(error)
            return False
        return True

    def hessian(self, point: torch.Tensor) -> torch.Tensor:
        """The matrix of second derivatives at one point of shape (D,); shape (D, D).

        In many dimensions it is taken by differences of compiled gradients, which is by far faster
        than exact ones.
        """
        if self.engine != "native" or len(point) <= _MOST_EXACT:
            return self._gradients.hessian(point)
        rows = hessian_by_differences(self, point)
        return 0.5 * (rows + rows.T)

    def evaluator(self) -> Callable[[Vector], tuple[float, Vector]]:
        """The same for one point, from numpy to numpy, with as little around it as can be.

        Returns:
            From a point (D,) to its log density and gradient (D,).
        """
        if self.engine != "native" or self._count != 1:
            return self._one
        return self._workers[0].evaluator()

    def _one(self, point: Vector) -> tuple[float, Vector]:
        values, slopes = self.value_and_grad(torch.from_numpy(point)[None])
        return float(values[0]), slopes[0].numpy()

    def _worker(self) -> _Worker:
        return _Worker(self._graph, self._trial)

    def _all_workers(self) -> list[_Worker]:
        """All workers, made when they are first needed; none where one of them is wrong."""
        try:
            while len(self._workers) < min(os.cpu_count() or 1, _MOST_WORKERS):
                self._workers.append(self._worker())
        except NativeUnavailable as error:
            self._take_the_graph(error)
        return self._workers

    def _take_the_graph(self, error: NativeUnavailable) -> None:
        self.engine, self.obstacle, self._workers = "graph", str(error), []

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_MOST_WORKERS)


def _joined(evaluator: Evaluator, points: torch.Tensor) -> torch.Tensor:
    """Values and slopes at points (S, D), (S, 1 + D)."""
    values, slopes = evaluator.value_and_grad(points)
    return torch.cat([values[:, None], slopes], 1)


Job = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Points to evaluate at, and where values and slopes go."""


class _Worker:
    """The compiled code with a memory of its own.

    Args:
        graph: The evaluation as a step.
        points: Points of finite density, as many as are evaluated at once, (S, D): the code is
            proved there and close by.
    """

    def __init__(self, graph: StepGraph, points: torch.Tensor) -> None:
        count, dim = points.shape
        self._state, self._row = _state(dim, count), torch.zeros(1, 1, dtype=torch.float64)
        self._state["points"].copy_(points)
        self._pending = start_native(graph, self._state, (), self._row[0], "density", ("points",))
        self._runner: NativeRunner = self._pending.runner()

    @property
    def is_free_of_python(self) -> bool:
        """Whether it never waits for the interpreter, which threads share."""
        return not self._runner.calls_python

    def prove_at(self, points: torch.Tensor) -> None:
        """Prove the code at other points, (S, D); raises NativeUnavailable where it is wrong."""
        self._state["points"].copy_(points)
        self._pending.runner()

    def evaluate(self, jobs: list[Job]) -> None:
        """Evaluate at the points of each job; NaN where a point cannot be evaluated."""
        state = self._state
        for points, values, slopes in jobs:
            size = len(points)
            state["points"][:size] = points
            try:
                self._runner.run(state, (), self._row)
            except Exception as error:
                if not is_refusal(error):
                    raise
                self._evaluate_apart(points, values, slopes)
                continue
            values.copy_(state["values"][:size])
            slopes.copy_(state["slopes"][:size])

    def _evaluate_apart(
        self, points: torch.Tensor, values: torch.Tensor, slopes: torch.Tensor
    ) -> None:
        for place, point in enumerate(points):
            self._state["points"][:] = point
            values[place], slopes[place] = torch.nan, 0.0
            with refusals_left_out():
                self._runner.run(self._state, (), self._row)
                values[place], slopes[place] = self._state["values"][0], self._state["slopes"][0]

    def evaluator(self) -> Callable[[Vector], tuple[float, Vector]]:
        """See `CompiledGradients.evaluator`."""
        into, slopes = (self._state[name].numpy()[0] for name in ("points", "slopes"))
        values = self._state["values"].numpy()
        step = self._runner.bound(self._row)

        def evaluate(point: Vector) -> tuple[float, Vector]:
            into[:] = point
            step()
            return float(values[0]), slopes.copy()

        return evaluate


def _state(dim: int, count: int) -> dict[str, torch.Tensor]:
    return {
        "points": torch.zeros(count, dim, dtype=torch.float64),
        "slopes": torch.zeros(count, dim, dtype=torch.float64),
        "values": torch.zeros(count, dtype=torch.float64),
    }


def _trial_points(gradients: Gradients, count: int) -> torch.Tensor:
    """Points (S, D) at which the density and its gradient are finite.

    Raises:
        NativeUnavailable: If none were found, so that there is nothing to prove the code with.
    """
    centre, dim = gradients.start, len(gradients.start)
    waves = torch.sin(torch.arange(count * dim, dtype=torch.float64)).view(count, dim)
    generator = torch.Generator().manual_seed(0)
    for _ in range(_PROVED_AROUND):
        for apart in _CLOSE_BY:
            points = centre + apart * waves
            values, slopes = gradients.value_and_grad(points)
            if bool(values.isfinite().all() & slopes.isfinite().all()):
                return points
        drawn = torch.rand(dim, generator=generator, dtype=torch.float64)
        centre = _WIDTH * (2.0 * drawn - 1.0)
    raise NativeUnavailable("the density is not finite where its compiled code was to be tried")


def _as_step(gradients: Gradients, dim: int, count: int) -> StepGraph:
    """The evaluation as a step on a state; raises Untraceable where it cannot be recorded."""

    def step(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        points, row = inputs[0], inputs[-1]
        values, slopes = gradients.all_at_once(points)
        return points, slopes, values, row.sum()

    state = _state(dim, count)
    row = torch.zeros(1, dtype=torch.float64)
    return StepGraph(capture(step, {**state, "row": row}, (), "points"), tuple(state), ())
