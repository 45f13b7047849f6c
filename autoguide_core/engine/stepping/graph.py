"""The runner that lets torch execute the graph of a step, operation by operation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoguide_core.engine.stepping.step import State
from autoguide_core.engine.stepping.step_graph import StepGraph
from autoguide_core.engine.stepping.supply import of_step, seed_generators


class GraphRunner:
    """Runs the graph once a step, without effect handlers or reverse mode.

    Args:
        step_graph: The graph of a whole step.
    """

    name = "graph"
    halts = False

    def __init__(self, step_graph: StepGraph) -> None:
        self._graph = step_graph.graph
        self._names = step_graph.state_names
        self._draws = step_graph.draws

    def run(self, state: State, noise: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Make K steps; see `Runner`."""
        elbo = torch.full((len(rows),), torch.nan, dtype=torch.float64, device=rows.device)
        values = [state[name] for name in self._names]
        with torch.no_grad():
            for k, row in enumerate(rows):
                given = of_step(noise, k)
                seed_generators(self._draws, given)
                *values, elbo[k] = self._graph(*values, *given, row)
                if elbo.is_cpu and not elbo[k].isfinite():
                    break
        for name, value in zip(self._names, values, strict=True):
            state[name].copy_(value)
        return elbo
