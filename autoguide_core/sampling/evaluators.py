"""The density as a sampler wants it: a numpy function of one vector, for several threads."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable

import numpy as np
import torch

from autoguide_core.engine.curvature.compiled import CompiledGradients, Vector
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.refusals import is_refusal

Evaluate = Callable[[Vector], tuple[float, Vector]]

_WORTH_A_THREAD = 20_000
"""Numbers that the model draws or observes from which chains run beside each other.

Below, the interpreter around the compiled code takes longer than the code, and threads would only
wait for each other.
"""


class Evaluators:
    """Values and gradients of a log density, each call by an evaluator that no other call uses.

    Where the density is compiled there may be as many evaluators as processors; where torch or the
    model itself is run there is one, since Pyro's handlers are not made for threads.

    Args:
        gradients: The log density.
        dim: D.
        numbers: How many numbers the model draws or observes.
        most: The most calls at once that are asked for.

    Attributes:
        count: How many calls can be made at once.
        engine: ``native``, or ``graph`` where torch does the work.
        obstacle: Why not compiled code, or an empty text.
        failure: The first error that is no refusal of a point, which no sampler sees.
    """

    def __init__(self, gradients: Gradients, dim: int, numbers: int, most: int) -> None:
        made = [CompiledGradients(gradients, dim)]
        while (
            made[-1].engine == "native"
            and numbers >= _WORTH_A_THREAD
            and len(made) < min(most, os.cpu_count() or 1)
        ):
            made.append(CompiledGradients(gradients, dim))
        self.failure: Exception | None = None
        self._take(made)

    def hold_at(self, points: torch.Tensor) -> bool:
        """Prove compiled code once more where it was used; see `CompiledGradients.holds_at`.

        Args:
            points: Shape (S, D).

        Returns:
            Whether what was given can be relied on. If not, torch does the work from then on.
        """
        if all(one.holds_at(points) for one in self._made):
            return True
        self._take(self._made)
        return False

    def _take(self, made: list[CompiledGradients]) -> None:
        """Have calls made by these, or by one alone where torch does the work."""
        by_torch = [one for one in made if one.engine != "native"]
        self._made = by_torch[:1] or made
        self.engine, self.obstacle = self._made[0].engine, self._made[0].obstacle
        self.count = len(self._made)
        self._free: queue.SimpleQueue[Evaluate] = queue.SimpleQueue()
        for one in self._made:
            self._free.put(one.evaluator())

    def __call__(self, point: Vector) -> tuple[float, Vector]:
        """Evaluate at one point; never raises, as no sampler's thread could tell of it.

        Args:
            point: Shape (D,).

        Returns:
            The log density in nats and its gradient (D,); NaN and zeros where the model cannot be
            evaluated (a matrix has no factor, say).
        """
        evaluate = self._free.get()
        try:
            return evaluate(point)
        except Exception as error:
            if not is_refusal(error) and self.failure is None:
                self.failure = error
            return float("nan"), np.zeros_like(point)
        finally:
            self._free.put(evaluate)
