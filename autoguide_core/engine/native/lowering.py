"""From a graph of ATen operations to kernels, operation by operation.

Each operation has one handler, found in a table: views only change how a tensor is walked through;
elementwise operations, reductions and indexing become statements of loops; matrix products and
running sums have kernels of their own; all else is left to torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torch.utils import _pytree

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.elementwise import converted, elementwise_call, reduction
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.extremes import EXTREMES
from autoguide_core.engine.native.facts import facts_of
from autoguide_core.engine.native.foreign import ForeignCall, foreign_call, is_ref
from autoguide_core.engine.native.indexing import INDEXING
from autoguide_core.engine.native.matrices import MATRICES
from autoguide_core.engine.native.operations import (
    ELEMENTWISE,
    REDUCTIONS,
    check_type,
    operation_name,
)
from autoguide_core.engine.native.program import Program, Ref, Role, dense_strides
from autoguide_core.engine.native.shortcuts import FILLED, filled, number
from autoguide_core.engine.native.strided import AS_STRIDED, as_strided
from autoguide_core.engine.native.triangles import TRIANGLES
from autoguide_core.engine.native.views import VIEWS, view


class Lowering:
    """Lowers one graph.

    Args:
        graph: The graph; its inputs are those of ``roles``, its outputs the new state's tensors
            and one number, or a vector.
        example: The inputs' tensors.
        roles: What each input is: ``state``, ``noise`` or ``row``.

    Attributes:
        graph: As given.
        example: As given.
        constants: The tensors of the program's ``constant`` storages, in their order.
        foreign: The operations that torch runs, by the number in the program.
    """

    def __init__(
        self,
        graph: GraphModule,
        example: Sequence[torch.Tensor],
        roles: Sequence[Role],
    ) -> None:
        self.graph = graph
        self.example = example
        self._roles = roles
        self._builder = Builder()
        self._facts = facts_of(graph, example)
        self._values: dict[Node, Any] = {}
        self._seen: dict[Any, Any] = {}
        self.constants: list[torch.Tensor] = []
        self.foreign: list[ForeignCall] = []

    def run(self) -> Program:
        """Lower the whole graph.

        Raises:
            NativeUnavailable: If a tensor has a type that the generated code does not know, or
                lies in memory as it cannot reach it.
        """
        results: list[Ref] = []
        inputs = [
            self._input(tensor, role)
            for tensor, role in zip(self.example, self._roles, strict=True)
        ]
        given = iter(inputs)
        for node in self.graph.graph.nodes:
            if node.op == "placeholder":
                self._values[node] = next(given)
            elif node.op == "get_attr":
                self._values[node] = self._constant(node)
            elif node.op == "call_function":
                self._values[node] = self._once(node)
            else:
                results = [self._values[n] for n in _pytree.tree_leaves(node.args[0])]
        *new_state, output = results
        old_state = [ref for ref, role in zip(inputs, self._roles, strict=True) if role == "state"]
        final = [self._final(*pair) for pair in zip(old_state, new_state, strict=True)]
        return self._builder.program([*final, self._apart_from_state(output)])

    def _input(self, tensor: torch.Tensor, role: Role) -> Ref:
        check_type(tensor.dtype)
        if role == "state" and not tensor.is_contiguous():
            raise NativeUnavailable("a tensor of the state is not laid out row by row")
        return self._builder.given(tensor.contiguous(), role)

    def _constant(self, node: Node) -> Ref:
        tensor = getattr(self.graph, str(node.target)).detach()
        if tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise NativeUnavailable("a tensor of the model is sparse, or not on the CPU")
        check_type(tensor.dtype)
        computed = str(node.target).startswith("_constant_")
        if tensor.numel() == 1 or (computed and _is_uniform(tensor)):
            return number(tensor.shape, tensor.dtype, tensor.flatten()[0].item())
        self.constants.append(tensor)
        return self._builder.given(tensor, "constant")

    def _final(self, old: Ref, new: Ref) -> Ref:
        """The new value of a tensor of the state, which can be copied over the old one.

        The tensors of the state are written over one after the other: no new value may still have
        to be read from an old one.
        """
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            raise NativeUnavailable("a tensor of the state changes its shape or type")
        unchanged = new.storage is old.storage and (new.offset, new.strides) == (
            old.offset,
            dense_strides(old.shape),
        )
        return new if unchanged else self._apart_from_state(new)

    def _apart_from_state(self, ref: Ref) -> Ref:
        """A tensor that lies elsewhere than the state; plain numbers are written out."""
        if ref.storage is None or ref.storage.role == "state":
            return self._builder.copy(ref)
        return ref

    def _once(self, node: Node) -> Any:
        """The value of an operation, computed once however often the graph states it."""
        args, kwargs = _pytree.tree_map_only(
            Node, lambda n: self._values[n], (node.args, dict(node.kwargs))
        )
        key: Any = (node.target, _frozen(args), _frozen(kwargs))
        if _is_random(node) or not _is_hashable(key):
            key = node
        if key not in self._seen:
            self._seen[key] = self._lower(node, args, kwargs)
        return self._seen[key]

    def _lower(self, node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        name = operation_name(node.target)
        fact = self._facts[node]
        if name == "<built-in function getitem>":
            return args[0][args[1]]
        if fact is None:  # an assertion: torch raises an error where it is not met
            leaves = _pytree.tree_leaves(args, is_ref)
            if any(isinstance(leaf, Ref) and leaf.storage is not None for leaf in leaves):
                self._by_torch(node, args, kwargs)
            return None
        if isinstance(fact, torch.Tensor):
            check_type(fact.dtype)
        if name in VIEWS:
            return view(self._builder, name, node.target, args, kwargs, fact)
        if name in AS_STRIDED:
            source = self._facts[node.all_input_nodes[0]]
            return as_strided(self._builder, name, args, kwargs, source)
        value = self._natively(name, args, kwargs, fact)
        return self._by_torch(node, args, kwargs) if value is None else value

    def _natively(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: Any
    ) -> Any:
        """The result of an operation that a table has a row for; None for all others."""
        if name in _OF_WHOLE_DIMENSIONS:
            return _OF_WHOLE_DIMENSIONS[name](self._builder, args, kwargs, fact)
        if not isinstance(fact, torch.Tensor):
            return None
        if name in ELEMENTWISE:
            return elementwise_call(self._builder, name, args, kwargs, fact)
        if name in REDUCTIONS:
            return reduction(self._builder, name, args, kwargs, fact)
        if name in FILLED:
            return filled(name, args, kwargs, fact)
        if name == "copy":
            return converted(self._builder, args[1], fact)
        handler = INDEXING.get(name) or MATRICES.get(name)
        return handler(self._builder, args, kwargs, fact) if handler else None

    def _by_torch(self, node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        fact = self._facts[node]
        call = foreign_call(self._builder, len(self.foreign), node.target, args, kwargs, fact)
        self.foreign.append(call)
        return call.targets if isinstance(fact, (tuple, list)) else call.targets[0]


_OF_WHOLE_DIMENSIONS = {**TRIANGLES, **EXTREMES}
"""Operations of which some have several results."""

_TABLES = (
    *(VIEWS, AS_STRIDED, ELEMENTWISE, REDUCTIONS, FILLED),
    *(INDEXING, MATRICES, _OF_WHOLE_DIMENSIONS),
)


def is_known(operation: Any) -> bool:
    """Whether some table has a row for an ATen operation, so that it need not be taken apart."""
    name = operation_name(operation)
    return any(name in table for table in _TABLES)


def _is_uniform(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds one number only; data of its size would make code their own."""
    return tensor.numel() > 0 and bool((tensor == tensor.flatten()[0]).all())


def _is_random(node: Node) -> bool:
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())


def _is_hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


def _frozen(value: Any) -> Any:
    """A value that can be compared and hashed; True, 1 and 1.0 differ in it."""
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(v) for v in value)
    if isinstance(value, dict):
        return tuple(sorted((k, _frozen(v)) for k, v in value.items()))
    return (type(value), value) if isinstance(value, (bool, int, float)) else value
