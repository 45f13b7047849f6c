"""From a Python function to a graph of tensor operations, without effect handlers.

The function is run once and recorded; the handlers are Python and leave nothing in the graph.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule
from torch.utils import _pytree

from autoguide_core.engine.tracing.decompositions import log_sigmoid_backward
from autoguide_core.engine.tracing.record import (
    Unrecordable,
    drop_detach,
    record,
    record_run,
    spread_nan,
)
from autoguide_core.engine.tracing.recorded import Recorded
from autoguide_core.engine.tracing.values import watched_values

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
_DECOMPOSED = {torch.ops.aten.log_sigmoid_backward.default: log_sigmoid_backward}


def trace_function(function: Function, example: Any, check: Any) -> Function:
    """Trace a function of tensors to a graph that stands for it elsewhere, too.

    Args:
        function: From one argument (a tensor or a dict of tensors) to tensors.
        example: The argument to trace with; shapes are fixed by it.
        check: Another argument, at which graph and function must agree.

    Returns:
        The graph, without in-place operations and with its constants folded.

    Raises:
        Unrecordable: If the function reads values, or does something else at each run.
        ValueError: If the graph and the function disagree.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recorded, _ = record_run(_watched(function), example, decompositions=_DECOMPOSED)
        again, expected = record_run(_watched(function), check, decompositions=_DECOMPOSED)
        if Recorded(recorded) != Recorded(again):
            raise Unrecordable("the model branches on values or changes from run to run")
        drop_detach(recorded)
        spread_nan(recorded)
        graph = retrace(torch.func.functionalize(recorded, remove="mutations"), example)
    for one, other in zip(expected, _pytree.tree_leaves(graph(check)), strict=True):
        if not torch.allclose(one, other, rtol=_AGREEMENT, atol=_AGREEMENT, equal_nan=True):
            raise ValueError("the graph and the model disagree")
    return graph


def _watched(function: Function) -> Function:
    """The function, which may read numbers that do not depend on its argument."""

    def run(argument: Any) -> Any:
        given = [leaf for leaf in _pytree.tree_leaves(argument) if isinstance(leaf, torch.Tensor)]
        with watched_values(given):
            return function(argument)

    return run


def retrace(function: Function, example: Any) -> Function:
    """Trace a function that is made of graphs, its constants folded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph: Function = _fold_constants(record(function, example), example)
    return graph


def touched(graph: Function, example: Any) -> int:
    """How many numbers the operations of a graph read and write in one run."""
    assert isinstance(graph, GraphModule)
    values = _Recorder(graph).record(example)

    def size(node: torch.fx.Node) -> int:
        value = values.get(node)
        return value.numel() if isinstance(value, torch.Tensor) else 0

    return sum(
        size(node) + sum(map(size, node.all_input_nodes))
        for node in graph.graph.nodes
        if node.op == "call_function"
    )


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
