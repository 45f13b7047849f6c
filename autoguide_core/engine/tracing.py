"""From a Python density to a batched graph of tensor operations, without effect handlers.

The density and its gradient are run once under ``make_fx``; the handlers are Python and leave
nothing in the graph, which is then vectorised over points and traced again. What cannot be traced
is evaluated by ``vmap`` over the model itself, or point by point, at the same values.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import get_decompositions
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree

Density = Callable[[torch.Tensor], torch.Tensor]
ValueAndGradient = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
Function = Callable[[Any], Any]

_AGREEMENT = 1e-8
_FILLED = {
    torch.ops.aten.zeros_like.default,
    torch.ops.aten.ones_like.default,
    torch.ops.aten.full_like.default,
    torch.ops.aten.new_zeros.default,
    torch.ops.aten.new_ones.default,
    torch.ops.aten.new_full.default,
}
# Its kernel warns on standard error, once a call, where only one of its arguments is batched.
_DECOMPOSED = get_decompositions([torch.ops.aten.log_sigmoid_backward])


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
        self._density = density
        self._graph: Function | None = None
        self._batched: dict[int, Function] = {}
        self._hessian: Function | None = None
        try:
            self._graph = trace_function(_with_gradient(density), start, _elsewhere(start))
        except Exception as error:  # tracing may fail in as many ways as a model has operations
            self.note = f"the density could not be traced ({_short(error)}): it runs slowly"

    def value_and_grad(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluate at S points.

        Args:
            points: Shape (S, D).

        Returns:
            Log densities (S,) and gradients (S, D).
        """
        count = len(points)
        if count not in self._batched:
            self._batched[count] = self._make_batched(points)
        with torch.no_grad():
            values, gradients = self._batched[count](points)
        return values, gradients

    def hessian(self, point: torch.Tensor) -> torch.Tensor:
        """The matrix of second derivatives at one point of shape (D,); shape (D, D)."""
        if self._hessian is None:
            self._hessian = self._make_hessian(point)
        with torch.no_grad():
            rows: torch.Tensor = self._hessian(point)
        return 0.5 * (rows + rows.T)

    def _make_batched(self, points: torch.Tensor) -> Function:
        if self._graph is not None:
            try:
                return _retrace(torch.func.vmap(self._graph), points)
            except Exception as error:  # as in the constructor
                self.note = f"the density could not be vectorised ({_short(error)}): it runs slowly"
        by_grad = torch.func.vmap(torch.func.grad_and_value(self._density))
        try:
            by_grad(points)
        except (RuntimeError, ValueError, NotImplementedError):
            return self._one_by_one

        def evaluate(at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            gradients, values = by_grad(at)
            return values, gradients

        return evaluate

    def _one_by_one(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = [_with_gradient(self._density)(point) for point in points]
        return torch.stack([value for value, _ in pairs]), torch.stack([g for _, g in pairs])

    def _make_hessian(self, point: torch.Tensor) -> Function:
        """The forward derivative of the gradient's graph, where each operation has a true one."""
        if self._graph is not None:
            graph = self._graph
            try:
                exact = _retrace(torch.func.jacfwd(lambda at: graph(at)[1]), point)
                if self._agrees(exact(point), point):
                    return exact
                reason = "they disagree with the gradients"
            except Exception as error:  # as in the constructor
                reason = _short(error)
            self.note = f"second derivatives are taken by differences ({reason})"
        return self._hessian_by_differences

    def _agrees(self, hessian: torch.Tensor, point: torch.Tensor) -> bool:
        """Whether a Hessian tells how the gradient changes along the diagonal."""
        step = 6e-6 * point.abs().clamp(min=1.0)
        _, slopes = self.value_and_grad(torch.stack([point + step, point - step]))
        change = slopes[0] - slopes[1]
        error = (2.0 * hessian @ step - change).norm()
        return bool(error <= 1e-3 * (hessian.abs() @ step).norm() + 1e-8 * slopes.norm())

    def _hessian_by_differences(self, point: torch.Tensor) -> torch.Tensor:
        """Central differences of gradients, with steps of the cube root of the precision."""
        steps = 6e-6 * point.abs().clamp(min=1.0)
        shifts = torch.diag(steps)
        _, gradients = self.value_and_grad(torch.cat([point + shifts, point - shifts]))
        ahead, behind = gradients.split(len(point))
        return (ahead - behind) / (2.0 * steps[:, None])


def trace_function(function: Function, example: Any, check: Any) -> Function:
    """Trace a function of tensors to a graph that stands for it elsewhere, too.

    Args:
        function: From one argument (a tensor or a dict of tensors) to tensors.
        example: The argument to trace with; shapes are fixed by it.
        check: Another argument, at which graph and function must agree.

    Returns:
        The graph, without in-place operations and with its constants folded.

    Raises:
        ValueError: If the graph and the function disagree: the model branches on values, or draws
            random numbers of its own.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recorded = _without_detach(make_fx(function, _DECOMPOSED)(example))
        graph = _retrace(torch.func.functionalize(recorded, remove="mutations"), example)
    expected, found = (_pytree.tree_leaves(f(check)) for f in (function, graph))
    for one, other in zip(expected, found, strict=True):
        if not torch.allclose(one, other, rtol=_AGREEMENT, atol=_AGREEMENT, equal_nan=True):
            raise ValueError("the model branches on values or draws random numbers")
    return graph


def _retrace(function: Function, example: Any) -> Function:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph: Function = _fold_constants(make_fx(function)(example), example)
    return graph


def _with_gradient(density: Density) -> ValueAndGradient:
    """Value and gradient by plain reverse mode, which takes every ``autograd.Function``."""

    def evaluate(point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.enable_grad():
            leaf = point.detach().requires_grad_()
            value = density(leaf)
            (gradient,) = torch.autograd.grad(value, leaf)
        return value.detach(), gradient

    return evaluate


def _elsewhere(point: torch.Tensor) -> torch.Tensor:
    return point + 0.1 * torch.cos(torch.arange(len(point), dtype=point.dtype, device=point.device))


def _without_detach(graph: GraphModule) -> GraphModule:
    """Drop the marks that reverse mode leaves, which would stop a second differentiation."""
    for node in list(graph.graph.nodes):
        if node.target is torch.ops.aten.detach.default:
            node.replace_all_uses_with(node.all_input_nodes[0])
            graph.graph.erase_node(node)
    graph.recompile()
    return graph


def _fold_constants(graph: GraphModule, example: Any) -> GraphModule:
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

    def record(self, example: Any) -> dict[torch.fx.Node, Any]:
        """The values by node."""
        self._values: dict[torch.fx.Node, Any] = {}
        with torch.no_grad():
            self.run(*_pytree.tree_leaves(example))
        return self._values

    def run_node(self, n: torch.fx.Node) -> Any:
        """Run one node."""
        self._values[n] = super().run_node(n)
        return self._values[n]


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."
