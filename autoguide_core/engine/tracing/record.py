"""Recording what a Python function does to tensors, as a graph of ATen operations.

This is what ``torch.fx.experimental.proxy_tensor.make_fx`` does in its plainest mode. That one
imports the whole of torch's compiler first, which takes longer than a short fit.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.fx import Graph, GraphModule, Node
from torch.fx.graph import _PyTreeCodeGen, _PyTreeInfo
from torch.utils import _pytree

from autoguide_core.engine.tracing.modes import OperationMode

_aten = torch.ops.aten
Function = Callable[..., Any]
Decompositions = Mapping[Any, Function]


class Unrecordable(RuntimeError):  # noqa: N818 - a state of affairs, not a mistake
    """The function does something that no graph can hold: its message ends a sentence."""


def record(
    function: Function, *example: Any, decompositions: Decompositions | None = None
) -> GraphModule:
    """Run a function once and write down every operation on tensors.

    Args:
        function: Takes nested structures of tensors and returns one.
        example: What to run it with; shapes are fixed by it.
        decompositions: What takes the place of an operation, in terms of others.

    Returns:
        A graph with the same arguments and result. Tensors that are neither arguments nor
        computed inside are its attributes, the very objects.

    Raises:
        Unrecordable: If the function reads a computed number.
    """
    return record_run(function, *example, decompositions=decompositions)[0]


def record_run(
    function: Function, *example: Any, decompositions: Decompositions | None = None
) -> tuple[GraphModule, list[Any]]:
    """Like `record`; gives also what this one run has returned, as a flat list."""
    leaves, structure = _pytree.tree_flatten(example)
    recorder = _Recorder(decompositions or {})
    inputs = [recorder.argument(leaf) for leaf in leaves]
    with recorder:
        result = function(*_pytree.tree_unflatten(inputs, structure))
    outputs, result_structure = _pytree.tree_flatten(result)
    graph = recorder.finished(outputs)
    names = [f"arg{place}" for place in range(len(example))]
    graph.set_codegen(_PyTreeCodeGen(_PyTreeInfo(names, structure, result_structure)))
    return GraphModule(recorder.attributes, graph), outputs


def drop_detach(graph: GraphModule) -> None:
    """Drop the marks of reverse mode, which mean nothing in a graph and end a differentiation."""
    for node in graph.graph.find_nodes(op="call_function", target=torch.ops.aten.detach.default):
        node.replace_all_uses_with(node.all_input_nodes[0])
        graph.graph.erase_node(node)
    graph.recompile()


def spread_nan(graph: GraphModule) -> None:
    """Let a matrix without a Cholesky factor give NaN, where torch would raise an error.

    So one impossible point leaves the others of a batch as they are, and a step that meets one has
    an ELBO of NaN, whoever makes it.
    """
    nodes = graph.graph
    for check in nodes.find_nodes(op="call_function", target=_aten._linalg_check_errors.default):
        info = check.all_input_nodes[0]
        made = info.all_input_nodes[0]
        if made.target is not _aten.linalg_cholesky_ex.default:
            continue
        (factor,) = (user for user in made.users if user.args[1] == 0)
        with nodes.inserting_after(info):
            good = nodes.call_function(_aten.eq.Scalar, (info, 0))
        for _ in range(2):
            with nodes.inserting_after(good):
                good = nodes.call_function(_aten.unsqueeze.default, (good, -1))
        with nodes.inserting_after(good):
            nan = nodes.call_function(_aten.full_like.default, (factor, float("nan")))
        with nodes.inserting_after(nan):
            kept = nodes.call_function(_aten.where.self, (good, factor, nan))
        factor.replace_all_uses_with(kept, lambda user, own=(nan, kept): user not in own)
        nodes.erase_node(check)
    graph.recompile()


class _Recorder(OperationMode):
    """Stands below autograd and the transforms of ``torch.func``, and sees plain operations."""

    def __init__(self, decompositions: Decompositions) -> None:
        super().__init__()
        self.attributes = torch.nn.Module()
        self._graph = Graph()
        self._decompositions = decompositions
        self._nodes: dict[int, Node] = {}
        self._kept: list[Tensor] = []  # or the address of one might serve for another

    def argument(self, value: Any) -> Any:
        """A stand-in for an argument, so that one tensor may be given twice."""
        node = self._graph.placeholder(f"arg_{len(self._graph.nodes)}")
        if not isinstance(value, Tensor):
            return value
        alias = value.detach()
        self._note(alias, node)
        return alias

    def finished(self, outputs: list[Any]) -> Graph:
        """The graph, with these outputs."""
        self._graph.output([self._node_of(o) if isinstance(o, Tensor) else o for o in outputs])
        return self._graph

    def operate(self, func: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        rule = self._decompositions.get(func)
        if rule is not None:
            with self:
                result = rule(*args, **keywords)
            if result is not NotImplemented:
                return result
        if torch.Tag.data_dependent_output in func.tags and self._is_computed(args, keywords):
            raise Unrecordable("the model branches on values")
        if any(isinstance(leaf, Generator) for leaf in _pytree.tree_leaves((args, keywords))):
            raise Unrecordable("the model draws from a generator of its own")
        arguments, named = _pytree.tree_map_only(Tensor, self._node_of, (args, keywords))
        result = func(*args, **keywords)
        if _has_usual_dtype(func, arguments, named):  # which may be another when the graph runs
            named["dtype"] = result.dtype
        node = self._graph.call_function(func, arguments, named)
        if isinstance(result, Tensor):
            self._note(result, node)
        elif isinstance(result, (list, tuple)):
            for place, part in enumerate(result):
                if isinstance(part, Tensor):
                    self._note(part, self._graph.call_function(operator.getitem, (node, place)))
        return result

    def _node_of(self, tensor: Tensor) -> Node:
        """The node of a tensor; one that comes from elsewhere becomes an attribute."""
        if id(tensor) not in self._nodes:
            name = f"_tensor_{len(self._kept)}"
            setattr(self.attributes, name, tensor)
            self._note(tensor, self._graph.get_attr(name))
        return self._nodes[id(tensor)]

    def _is_computed(self, args: Any, kwargs: Any) -> bool:
        leaves = _pytree.tree_leaves((args, kwargs))
        nodes = [self._nodes.get(id(leaf)) for leaf in leaves if isinstance(leaf, Tensor)]
        return any(node is not None and node.op != "get_attr" for node in nodes)

    def _note(self, tensor: Tensor, node: Node) -> None:
        self._nodes[id(tensor)] = node
        self._kept.append(tensor)


def _has_usual_dtype(func: Any, args: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether a new tensor is made, of the default dtype."""
    return (
        any(argument.name == "dtype" and argument.kwarg_only for argument in func._schema.arguments)
        and kwargs.get("dtype") is None
        and not any(isinstance(leaf, Node) for leaf in _pytree.tree_leaves((args, kwargs)))
    )
