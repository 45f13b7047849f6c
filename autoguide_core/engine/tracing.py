"""From a Python density to a batched graph of tensor operations, without effect handlers.

The density is run once under ``make_fx``; the handlers are Python and leave nothing in the graph.
The graph is differentiated, vectorised over points and traced again. What cannot be traced is
evaluated by ``vmap`` over the model itself, or point by point, at the same values.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

Density = Callable[[torch.Tensor], torch.Tensor]
BatchedGradient = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

_AGREEMENT = 1e-8
_FILLED = {
    torch.ops.aten.zeros_like.default,
    torch.ops.aten.ones_like.default,
    torch.ops.aten.full_like.default,
    torch.ops.aten.new_zeros.default,
    torch.ops.aten.new_ones.default,
    torch.ops.aten.new_full.default,
}


class Gradients:
    """Values, gradients and Hessians of a log density, many points at a time.

    Args:
        density: A scalar function of a vector of shape (D,), float64.
        start: A point of finite density, shape (D,).

    Attributes:
        note: What had to be given up, or None where the density was traced.
    """

    def __init__(self, density: Density, start: torch.Tensor) -> None:
        self.note: str | None = None
        self._single: Density = density
        self._batched: dict[int, BatchedGradient] = {}
        self._hessian: Density | None = None
        self._make: Callable[[torch.Tensor], BatchedGradient] = self._make_traced
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._single = _trace(density, start)
        except Exception as error:  # tracing may fail in as many ways as a model has operations
            self.note = f"the density could not be traced ({_short(error)}): it runs slowly"
            self._make = self._make_vectorised

    def value_and_grad(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluate at S points.

        Args:
            points: Shape (S, D).

        Returns:
            Log densities (S,) and gradients (S, D).
        """
        count = len(points)
        if count not in self._batched:
            self._batched[count] = self._make(points)
        return self._batched[count](points)

    def hessian(self, point: torch.Tensor) -> torch.Tensor:
        """The matrix of second derivatives at one point of shape (D,); shape (D, D)."""
        if self._hessian is None:
            self._hessian = self._make_hessian(point)
        with torch.no_grad():
            rows = self._hessian(point)
        return 0.5 * (rows + rows.T)

    def _make_hessian(self, point: torch.Tensor) -> Density:
        """Forward over reverse, where every operation has a forward derivative."""
        if self._make == self._make_traced:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    exact = torch.func.jacfwd(torch.func.grad(self._single))
                    return _fold_constants(make_fx(exact)(point), point)
            except Exception as error:  # as in the constructor
                self.note = f"second derivatives are taken by differences ({_short(error)})"
        return self._hessian_by_differences

    def _hessian_by_differences(self, point: torch.Tensor) -> torch.Tensor:
        """Central differences of gradients, with steps of the cube root of the precision."""
        steps = 6e-6 * point.abs().clamp(min=1.0)
        shifts = torch.diag(steps)
        _, gradients = self.value_and_grad(torch.cat([point + shifts, point - shifts]))
        ahead, behind = gradients.split(len(point))
        return (ahead - behind) / (2.0 * steps[:, None])

    def _make_traced(self, points: torch.Tensor) -> BatchedGradient:
        batched = torch.func.vmap(torch.func.grad_and_value(self._single))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                graph = _fold_constants(make_fx(batched)(points), points)
        except Exception as error:  # as above
            self.note = f"the gradient could not be traced ({_short(error)}): it runs slowly"
            self._make = self._make_vectorised
            return self._make(points)

        def evaluate(at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            with torch.no_grad():
                gradients, values = graph(at)
            return values, gradients

        return evaluate

    def _make_vectorised(self, points: torch.Tensor) -> BatchedGradient:
        batched = torch.func.vmap(torch.func.grad_and_value(self._single))
        try:
            batched(points)
        except (RuntimeError, ValueError, NotImplementedError):
            return self._one_by_one

        def evaluate(at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            gradients, values = batched(at)
            return values.detach(), gradients.detach()

        return evaluate

    def _one_by_one(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, gradients = [], []
        for point in points:
            leaf = point.detach().requires_grad_()
            value = self._single(leaf)
            values.append(value.detach())
            gradients.append(torch.autograd.grad(value, leaf)[0])
        return torch.stack(values), torch.stack(gradients)


def _trace(density: Density, start: torch.Tensor) -> GraphModule:
    """Trace a density, and make sure that the graph stands for it away from ``start`` too.

    Raises:
        ValueError: If the graph and the density disagree: the model branches on values, or draws
            random numbers of its own.
    """
    functional = torch.func.functionalize(density, remove="mutations")
    graph = _fold_constants(make_fx(functional)(start), start)
    elsewhere = start + 0.1 * torch.cos(torch.arange(len(start), dtype=start.dtype))
    for point in (start, elsewhere):
        expected, found = density(point), graph(point)
        if not torch.allclose(expected, found, rtol=_AGREEMENT, atol=_AGREEMENT, equal_nan=True):
            raise ValueError("the model branches on values or draws random numbers")
    return graph


def _fold_constants(graph: GraphModule, example: torch.Tensor) -> GraphModule:
    """Compute once what does not depend on the input's values.

    That takes in tensors filled with one number in the shape of others, since shapes are fixed.
    """
    values = _Recorder(graph).record(example)
    constant: set[torch.fx.Node] = set()
    for node in graph.graph.nodes:
        if node.op == "get_attr" or (
            node.op == "call_function"
            and (node.target in _FILLED or all(n in constant for n in node.all_input_nodes))
        ):
            constant.add(node)
    for index, node in enumerate(list(graph.graph.nodes)):
        if node not in constant or node.op == "get_attr":
            continue
        if isinstance(values[node], torch.Tensor) and any(u not in constant for u in node.users):
            name = f"_folded_{index}"
            graph.register_buffer(name, values[node].detach().clone())
            with graph.graph.inserting_before(node):
                node.replace_all_uses_with(graph.graph.get_attr(name))
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


class _Recorder(torch.fx.Interpreter):
    """Runs a graph once and remembers the value of every node."""

    def record(self, example: torch.Tensor) -> dict[torch.fx.Node, Any]:
        """The values by node."""
        self._values: dict[torch.fx.Node, Any] = {}
        with torch.no_grad():
            self.run(example)
        return self._values

    def run_node(self, n: torch.fx.Node) -> Any:
        """Run one node."""
        self._values[n] = super().run_node(n)
        return self._values[n]


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."
