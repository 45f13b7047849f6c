"""From a Python function around live parameters to a pure graph of core ATen operations."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyro
import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.passes.dialect.common.cse_pass import CSEPass

from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.stepping.constants import fold_constants, index_by_numbers
from autoguide_core.engine.stepping.numbers_of_data import NumbersOfData
from autoguide_core.engine.tracing.decompositions import decompositions
from autoguide_core.engine.tracing.record import Unrecordable, record

_aten = torch.ops.aten
Function = Callable[..., Any]


def capture(
    function: Function, inputs: Mapping[str, Tensor], leaves: Sequence[Tensor], theta: str
) -> GraphModule:
    """Record a function of tensors that also reads parameters in place.

    Args:
        function: Takes the inputs in their order, and returns a flat sequence of tensors.
        inputs: The values to record with, by the names that the placeholders get.
        leaves: Parameters that the function reads on the side.
        theta: The name of the input of which the leaves are the parts, in their order.

    Returns:
        A graph of the inputs alone, without in-place operations. Tensors that are neither inputs
        nor computed, the data above all, are attributes: the very objects, never copies.

    Raises:
        Untraceable: If the function needs a value of a tensor in Python.
    """
    values = list(inputs.values())
    try:
        with warnings.catch_warnings(), pyro.validation_enabled(False):
            warnings.simplefilter("ignore")
            with torch.enable_grad():
                recorded = record(_reading(function, [*values, *leaves]), *values)
            _read_from(recorded, leaves, list(inputs).index(theta))
            _drop_detach(recorded)
            with torch.no_grad():
                pure = torch.func.functionalize(recorded, remove="mutations")
                graph: GraphModule = record(pure, *values, decompositions=decompositions())
                fold_constants(graph, values)
                index_by_numbers(graph)
    except Untraceable:
        raise
    except Exception as error:  # whatever it is, Python can make the steps
        raise Untraceable(_reason(error)) from error
    graph = CSEPass()(graph).graph_module
    for node, name in zip(graph.graph.find_nodes(op="placeholder"), inputs, strict=True):
        node.name = node.target = name
    graph.graph.eliminate_dead_code()
    graph.graph.lint()
    graph.recompile()
    return graph


def _reading(function: Function, variable: Sequence[Tensor]) -> Function:
    """The function, with leave to read numbers that do not depend on ``variable``."""

    def run(*inputs: Tensor) -> Any:
        with NumbersOfData(variable):
            return function(*inputs)

    return run


def _read_from(graph: GraphModule, leaves: Sequence[Tensor], position: int) -> None:
    """Let a graph read the leaves from a placeholder instead of from their memory."""
    theta = graph.graph.find_nodes(op="placeholder")[position]
    offsets, offset = {}, 0
    for leaf in leaves:
        offsets[id(leaf)] = offset
        offset += leaf.numel()
    for node in graph.graph.find_nodes(op="get_attr"):
        leaf = getattr(graph, node.target)
        if id(leaf) not in offsets:
            continue
        start = offsets[id(leaf)]
        with graph.graph.inserting_before(node):
            part = graph.graph.call_function(
                _aten.slice.Tensor, (theta, 0, start, start + leaf.numel())
            )
            shaped = graph.graph.call_function(_aten.view.default, (part, list(leaf.shape)))
        node.replace_all_uses_with(shaped)
        graph.graph.erase_node(node)
    graph.recompile()


def _drop_detach(graph: GraphModule) -> None:
    """Drop the marks of reverse mode, which mean nothing in a graph."""
    for node in graph.graph.find_nodes(op="call_function", target=_aten.detach.default):
        node.replace_all_uses_with(node.all_input_nodes[0])
        graph.graph.erase_node(node)
    graph.recompile()


def _reason(error: Exception) -> str:
    """Why a function could not be recorded, as the end of a sentence."""
    first = str(error).strip().split("\n")[0].rstrip(".")
    if isinstance(error, Unrecordable):
        return first
    return f"it cannot be recorded: {first[:200]}"
