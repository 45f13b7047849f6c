"""From a Python function around live parameters to a pure graph of core ATen operations."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.graph import CodeGen
from torch.fx.passes.dialect.common.cse_pass import CSEPass, get_CSE_banned_ops

from autoguide_core.engine.estimators import Untraceable
from autoguide_core.engine.isolation import python_generators
from autoguide_core.engine.stepping.constants import fold_constants, index_by_numbers, is_in_place
from autoguide_core.engine.tracing.decompositions import decompositions
from autoguide_core.engine.tracing.record import (
    Unrecordable,
    drop_detach,
    record,
    record_run,
    spread_nan,
)
from autoguide_core.engine.tracing.recorded import Recorded
from autoguide_core.engine.tracing.values import watched_values
from autoguide_core.validation import Validation

_aten = torch.ops.aten
Function = Callable[..., Any]
CHANGES = "the model branches on values or changes from run to run"
"""Why there is no graph, where two recordings are not the same."""


@dataclass(frozen=True)
class Recording:
    """One run of a function, written down.

    Attributes:
        graph: The graph as it was recorded.
        outputs: What the run returned.
        actions: What was done, to be compared with another run.
    """

    graph: GraphModule
    outputs: list[Tensor]
    actions: Recorded


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
        A graph of the inputs alone, without in-place operations but for those that keep what the
        function writes to tensors of its own. Tensors that are neither inputs nor computed, the
        data above all, are attributes: the very objects, never copies.

    Raises:
        Untraceable: If the function needs a value of a tensor in Python.
    """
    recording = record_function(function, list(inputs.values()), leaves)
    return pure_graph(recording, inputs, leaves, theta)


def record_function(
    function: Function, values: Sequence[Tensor], leaves: Sequence[Tensor]
) -> Recording:
    """Run a function once and write down what it does; arguments as those of `capture`.

    Raises:
        Untraceable: If a graph cannot hold it.
    """
    with _untraceable(), Validation(False), torch.enable_grad():
        before = python_generators()
        recorded, outputs = record_run(_reading(function, [*values, *leaves]), *values)
        if python_generators() != before:
            raise Unrecordable("the model draws random numbers of Python's or numpy's")
    return Recording(recorded, outputs, Recorded(recorded))


def pure_graph(
    recording: Recording, inputs: Mapping[str, Tensor], leaves: Sequence[Tensor], theta: str
) -> GraphModule:
    """The graph that `capture` gives, of a recording with the same arguments."""
    values, recorded = list(inputs.values()), recording.graph
    with _untraceable():
        _read_from(recorded, leaves, list(inputs).index(theta))
        drop_detach(recorded)
        spread_nan(recorded)
        with torch.no_grad():
            graph = _pure(recorded, values)
            fold_constants(graph, values)
            index_by_numbers(graph)
    graph = CSEPass(banned_ops=get_CSE_banned_ops())(graph).graph_module
    for node, name in zip(graph.graph.find_nodes(op="placeholder"), inputs, strict=True):
        node.name = node.target = name
    graph.graph.eliminate_dead_code()
    graph.graph.lint()
    graph.recompile()
    return graph


@contextlib.contextmanager
def _untraceable() -> Iterator[None]:
    """Turn whatever goes wrong inside into Untraceable, since Python can make the steps."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Untraceable:
        raise
    except Exception as error:
        raise Untraceable(_reason(error)) from error


def _pure(recorded: GraphModule, values: Sequence[Tensor]) -> GraphModule:
    """The graph in plain operations, none of them in place.

    Writing into what is made from constants alone is told otherwise only if the constants are
    arguments, too; they are so in between.
    """
    constants = _lift_constants(recorded)
    inputs = [*values, *constants]
    pure = torch.func.functionalize(recorded, remove="mutations")
    graph = record(pure, *inputs, decompositions=decompositions())
    if any(is_in_place(node) for node in graph.graph.nodes):
        # The rules for some operations are in place again.
        pure = torch.func.functionalize(graph, remove="mutations")
        graph = record(pure, *inputs, decompositions=decompositions())
    graph.graph.set_codegen(CodeGen())
    lifted = graph.graph.find_nodes(op="placeholder")[len(values) :]
    for place, (node, constant) in enumerate(zip(lifted, constants, strict=True)):
        name = f"_given_{place}"
        setattr(graph, name, constant)
        node.op, node.target = "get_attr", name
    graph.recompile()
    return graph


def _lift_constants(graph: GraphModule) -> list[Tensor]:
    """Make arguments of a graph's attributes, in place; the attributes in their order."""
    nodes = graph.graph.find_nodes(op="get_attr")
    constants = {node.target: getattr(graph, node.target) for node in nodes}
    last = graph.graph.find_nodes(op="placeholder")[-1]
    for name in constants:
        with graph.graph.inserting_after(last):
            last = argument = graph.graph.placeholder(f"lifted_{name}")
        for node in nodes:
            if node.target == name:
                node.replace_all_uses_with(argument)
                graph.graph.erase_node(node)
    graph.graph.set_codegen(CodeGen())
    graph.recompile()
    return list(constants.values())


def _reading(function: Function, variable: Sequence[Tensor]) -> Function:
    """The function, with leave to read numbers that do not depend on ``variable``."""

    def run(*inputs: Tensor) -> Any:
        with watched_values(variable):
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


def _reason(error: Exception) -> str:
    """Why a function could not be recorded, as the end of a sentence."""
    first = str(error).strip().split("\n")[0].rstrip(".")
    if isinstance(error, Unrecordable):
        return first
    return f"it cannot be recorded: {first[:200]}"
