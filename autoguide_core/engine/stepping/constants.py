"""What in a graph does not depend on its inputs: computed once, and never copied from the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

_aten = torch.ops.aten
_LARGEST_KEPT = 2**24
"""Bytes of a computed constant that are kept; a greater one is computed at each step."""

_OF_SHAPES = {
    _aten.zeros_like.default,
    _aten.ones_like.default,
    _aten.full_like.default,
    _aten.new_zeros.default,
    _aten.new_ones.default,
    _aten.new_full.default,
}
"""Operations that depend on shapes alone, and shapes are fixed."""

_UNFILLED = {
    _aten.empty.memory_format,
    _aten.empty_like.default,
    _aten.empty_strided.default,
    _aten.new_empty.default,
    _aten.new_empty_strided.default,
}
"""Operations that leave memory as it was, for others to write to."""


def fold_constants(graph: GraphModule, example: Sequence[Tensor]) -> None:
    """Compute once what the inputs do not change, in place.

    What shares the memory of a tensor of the user's (a transpose of the data, say) becomes an
    attribute whatever its size, since that costs nothing. What has memory of its own is kept up to
    16 MiB: a large matrix of data is not to be there twice, once as given and once cast.

    Args:
        graph: A graph without in-place operations, but for those at its end that keep what a model
            writes to tensors of its own.
        example: Inputs of it.
    """
    values = _Recorder(graph).record(example)
    written = {node.args[0].target for node in graph.graph.nodes if is_in_place(node)}
    constant: set[Node] = set()
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            is_constant = node.target not in written
        else:
            is_constant = node.op == "call_function" and _is_constant(node, constant)
        if is_constant:
            constant.add(node)
    given = {
        values[node].untyped_storage().data_ptr()
        for node in constant
        if node.op == "get_attr" and isinstance(values[node], Tensor)
    }
    for node in list(graph.graph.nodes):
        value = values.get(node)
        if node not in constant or node.op == "get_attr" or not isinstance(value, Tensor):
            continue
        memory = value.untyped_storage()
        if memory.nbytes() > _LARGEST_KEPT and memory.data_ptr() not in given:
            continue
        if any(user not in constant or _stays(values.get(user), given) for user in node.users):
            _put_attribute(graph, node, value)
    graph.graph.eliminate_dead_code()
    graph.recompile()


def is_in_place(node: Node) -> bool:
    """Whether a node writes to one of its arguments."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


def index_by_numbers(graph: GraphModule) -> None:
    """Write indexing by a constant mask as indexing by the places where it is true, in place.

    A mask's result has a shape that hangs on values; numbers are plain to every back end.
    """
    for op in (_aten.index.Tensor, _aten.index_put.default):
        for node in graph.graph.find_nodes(op="call_function", target=op):
            indices: list[Any] = []
            for index in node.args[1]:
                mask = getattr(graph, index.target) if _is_attribute(index) else None
                if mask is None or mask.dtype != torch.bool:
                    indices.append(index)
                    continue
                for places in mask.nonzero(as_tuple=True):
                    with graph.graph.inserting_before(node):
                        indices.append(_new_attribute(graph, places))
            node.args = (node.args[0], indices, *node.args[2:])
    graph.graph.eliminate_dead_code()
    graph.recompile()


def _is_constant(node: Node, constant: set[Node]) -> bool:
    if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
        return False
    return node.target in _OF_SHAPES or all(n in constant for n in node.all_input_nodes)


def _stays(value: Any, given: set[int]) -> bool:
    """Whether a constant is too large to be kept, so that what it is made of is needed."""
    if not isinstance(value, Tensor):
        return False
    memory = value.untyped_storage()
    return memory.nbytes() > _LARGEST_KEPT and memory.data_ptr() not in given


def _is_attribute(node: Any) -> bool:
    return isinstance(node, Node) and node.op == "get_attr"


def _put_attribute(graph: GraphModule, node: Node, value: Tensor) -> None:
    with graph.graph.inserting_before(node):
        node.replace_all_uses_with(_new_attribute(graph, value))


def _new_attribute(graph: GraphModule, value: Tensor) -> Node:
    count = sum(name.startswith("_constant_") for name in graph.__dict__)
    name = f"_constant_{count}"
    setattr(graph, name, value.detach())
    return graph.graph.get_attr(name)


class _Recorder(Interpreter):
    """Runs a graph once and remembers the value of every node."""

    def record(self, example: Sequence[Tensor]) -> dict[Node, Any]:
        """The values by node."""
        self._values: dict[Node, Any] = {}
        with torch.no_grad():
            self.run(*example)
        return self._values

    def run_node(self, n: Node) -> Any:
        """Run one node; what would be left as it was is zero, to be the same in every process."""
        value = super().run_node(n)
        self._values[n] = value.zero_() if n.target in _UNFILLED else value
        return self._values[n]
