"""Values and gradients of a log density as compiled code."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.native import start_native
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.stepping.capture import capture
from autoguide_core.engine.stepping.step_graph import StepGraph

Vector = npt.NDArray[np.float64]


class CompiledGradients:
    """Evaluates a log density and its gradient by compiled code, some points at a time.

    The evaluation is compiled as a step is: its state holds the points that go in, and the values
    and slopes that come out. An evaluator's memory is its own, and used by one thread at a time;
    evaluators of one density share what is compiled, by the cache on disk.

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
        self._gradients, self._count = gradients, count
        self._row = torch.zeros(1, 1, dtype=torch.float64)
        self._state = {
            "points": torch.zeros(count, dim, dtype=torch.float64),
            "slopes": torch.zeros(count, dim, dtype=torch.float64),
            "values": torch.zeros(count, dtype=torch.float64),
        }
        if not self.obstacle:
            try:
                self._runner = start_native(
                    self._graph(), self._state, (), self._row[0], "density"
                ).runner()
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
        state, size = self._state, self._count
        for start in range(0, len(points), size):
            chunk = points[start : start + size]
            state["points"][: len(chunk)] = chunk
            self._runner.run(state, (), self._row)
            values[start : start + size] = state["values"][: len(chunk)]
            slopes[start : start + size] = state["slopes"][: len(chunk)]
        return values, slopes

    def evaluator(self) -> Callable[[Vector], tuple[float, Vector]]:
        """The same for one point, from numpy to numpy, with as little around it as can be.

        Returns:
            From a point (D,) to its log density and gradient (D,).
        """
        if self.engine != "native" or self._count != 1:
            return self._one
        into, slopes = (self._state[name].numpy()[0] for name in ("points", "slopes"))
        values = self._state["values"].numpy()
        step = self._runner.bound(self._row)

        def evaluate(point: Vector) -> tuple[float, Vector]:
            into[:] = point
            step()
            return float(values[0]), slopes.copy()

        return evaluate

    def _one(self, point: Vector) -> tuple[float, Vector]:
        values, slopes = self.value_and_grad(torch.from_numpy(point)[None])
        return float(values[0]), slopes[0].numpy()

    def _graph(self) -> StepGraph:
        def step(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            points, row = inputs[0], inputs[-1]
            values, slopes = self._gradients.value_and_grad(points)
            return points, slopes, values, row.sum()

        graph = capture(step, {**self._state, "row": self._row[0]}, (), "points")
        return StepGraph(graph, tuple(self._state), ())
