"""From a graph of ATen operations to kernels, operation by operation.

Each operation has one handler, found in a table: views only change how a tensor is walked through;
elementwise operations, reductions and indexing become statements of loops; matrix products and
running sums have kernels of their own; all else is left to torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torch.utils import _pytree

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.indexing import AS_STRIDED, INDEXING
from autoguide_core.engine.native.operations import (
    C_TYPES,
    ELEMENTWISE,
    REDUCTIONS,
    operation_name,
)
from autoguide_core.engine.native.program import Number, Program, Ref, Role, dense_strides
from autoguide_core.engine.native.shortcuts import shortcut
from autoguide_core.engine.native.views import VIEWS, reshape, view

_OWN_PRODUCT = 60_000
"""Multiplications up to which our own loops beat the call of a BLAS through torch."""


class Lowering:
    """Lowers one graph.

    Args:
        graph: The graph; its inputs are those of ``roles``, its outputs the new state's tensors
            and one number.
        example: The inputs' tensors.
        roles: What each input is: ``state``, ``noise`` or ``row``.

    Attributes:
        constants: The tensors of the program's ``constant`` storages, in their order.
        foreign: The operations that torch runs, by the number in the program.
    """

    def __init__(
        self,
        graph: GraphModule,
        example: Sequence[torch.Tensor],
        roles: Sequence[Role],
    ) -> None:
        self._graph = graph
        self._roles = roles
        self.builder = Builder()
        self._values: dict[Node, Any] = {}
        self._facts = _Facts(graph).of(example)
        self._seen: dict[Any, Any] = {}
        self.constants: list[torch.Tensor] = []
        self.foreign: list[ForeignCall] = []

    def run(self) -> Program:
        """Lower the whole graph.

        Raises:
            NativeUnavailable: If a tensor has a type that the generated code does not know.
        """
        inputs = iter(self._roles)
        results: list[Ref] = []
        for node in self._graph.graph.nodes:
            if node.op == "placeholder":
                self._values[node] = self.builder.given(self._facts[node], next(inputs))
            elif node.op == "get_attr":
                self._values[node] = self._constant(node)
            elif node.op == "call_function":
                self._values[node] = self._once(node)
            else:
                results = [self._values[n] for n in _pytree.tree_leaves(node.args[0])]
        return self.builder.program(results)

    def _constant(self, node: Node) -> Ref:
        tensor = getattr(self._graph, str(node.target)).detach()
        computed = str(node.target).startswith("_constant_")
        if tensor.numel() == 1 or (computed and _is_uniform(tensor)):
            number = tensor.flatten()[0].item()
            return Ref(tuple(tensor.shape), tensor.dtype, literal=number)
        _check_type(tensor.dtype)
        self.constants.append(tensor)
        return self.builder.given(tensor, "constant")

    def _once(self, node: Node) -> Any:
        """The value of an operation, computed once however often the graph states it."""
        args, kwargs = _pytree.tree_map_only(
            Node, lambda n: self._values[n], (node.args, dict(node.kwargs))
        )
        try:
            key: Any = (node.target, _frozen(args), _frozen(kwargs))
            hash(key)
        except TypeError:
            key = node
        if key not in self._seen:
            self._seen[key] = self._lower(node, args, kwargs)
        return self._seen[key]

    def _lower(self, node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        name = operation_name(node.target)
        fact = self._facts[node]
        if name == "<built-in function getitem>":
            return args[0][args[1]]
        if fact is None:  # an assertion, which the traced run has met
            return None
        if isinstance(fact, torch.Tensor):
            _check_type(fact.dtype)
        if name in VIEWS:
            return view(self.builder, node.target, args, kwargs, fact)
        if name in AS_STRIDED:
            if not self._facts[node.all_input_nodes[0]].is_contiguous():
                raise NativeUnavailable(f"{name} on a tensor that is not laid out row by row")
            return AS_STRIDED[name](self.builder, args, kwargs, fact)
        if name in INDEXING:
            value = INDEXING[name](self.builder, args, kwargs, fact)
        elif name in ELEMENTWISE:
            value = self._elementwise(name, args, kwargs, fact)
        elif name in REDUCTIONS and isinstance(fact, torch.Tensor):
            value = self._reduction(REDUCTIONS[name], args, kwargs, fact)
        elif name in _HANDLERS:
            value = _HANDLERS[name](self, args, kwargs, fact)
        else:
            value = None
        return self._by_torch(node, args, kwargs, fact) if value is None else value

    def _elementwise(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
    ) -> Ref | None:
        row = ELEMENTWISE[name]
        refs = [_as_ref(a) for a in args if a is not None]
        expression = row.expression
        if kwargs.get("alpha", 1) != 1:
            refs[1] = self.elementwise("mul.Tensor", [refs[1], _as_ref(kwargs["alpha"])], fact)
        if name.startswith("clamp") and len(refs) != expression.count("{"):
            return self._clamp(args, kwargs, fact)
        if kwargs.get("rounding_mode"):
            return None
        return self.elementwise(name, refs, fact)

    def elementwise(self, name: str, refs: Sequence[Ref], fact: torch.Tensor) -> Ref:
        """An operation of the table on tensors that broadcast to the shape of ``fact``."""
        row = ELEMENTWISE[name]
        common = _promoted(refs) if row.compares else fact.dtype
        types = [common] * len(refs)
        if row.condition:
            types[0] = torch.bool
        short = shortcut(name, refs, tuple(fact.shape), fact.dtype)
        if short is not None:
            return short
        return self.builder.compute(row.expression, refs, fact.shape, fact.dtype, types)

    def _clamp(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor) -> Ref:
        low, high = ([*args[1:], None, None])[:2]
        low, high = kwargs.get("min", low), kwargs.get("max", high)
        value: Ref = args[0]
        if low is not None:
            value = self.elementwise("maximum", [value, _as_ref(low)], fact)
        if high is not None:
            value = self.elementwise("minimum", [value, _as_ref(high)], fact)
        return value

    def _reduction(
        self, sign: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
    ) -> Ref | None:
        source: Ref = args[0]
        dims = args[1] if len(args) > 1 else kwargs.get("dim")
        if isinstance(dims, int):
            dims = [dims]
        if not dims:
            dims = range(len(source.shape))
        reduced = {d % max(len(source.shape), 1) for d in dims}
        if source.numel == 0 or (sign in ("max", "min", "||", "&&") and source.dtype != fact.dtype):
            return None
        kept = [1 if d in reduced else size for d, size in enumerate(source.shape)]
        count = math.prod(source.shape[d] for d in reduced if source.shape) if reduced else 1
        if count == 1:
            flat = reshape(self.builder, source, tuple(fact.shape))
            return self.elementwise("_to_copy", [flat], fact)
        target = self.builder.scratch(fact.dtype, fact.shape)
        walk = tuple(
            0 if d in reduced else stride for d, stride in enumerate(dense_strides(tuple(kept)))
        )
        place = Ref(source.shape, fact.dtype, target.storage, walk)
        self.builder.write(place, source, "+" if sign == "mean" else sign)
        if sign == "mean":
            return self.elementwise("mul.Tensor", [target, _as_ref(1.0 / count)], fact)
        return target

    def _matrix_product(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
    ) -> Ref | None:
        left, right = args[0], args[1]
        if left.storage is None or right.storage is None or left.numel == 0 or right.numel == 0:
            return None
        # A vector is a matrix with one row or column; a matrix is a batch of one.
        if len(left.shape) == 1:
            left = _with_dim(left, 0)
        if len(right.shape) == 1:
            right = _with_dim(right, 1)
        if len(left.shape) == 2:
            left, right = _with_dim(left, 0), _with_dim(right, 0)
        batch, rows, inner = left.shape
        columns = right.shape[2]
        small = batch * rows * columns * inner <= _OWN_PRODUCT
        if (not small and min(rows, columns, inner) > 8) or not left.dtype.is_floating_point:
            return None
        result = self.builder.product(left, right, (batch, rows, columns, inner))
        shape = tuple(fact.shape)
        return Ref(shape, result.dtype, result.storage, dense_strides(shape))

    def _add_product(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
    ) -> Ref | None:
        if kwargs:
            return None
        result = self._matrix_product(args[1:], {}, fact)
        return None if result is None else self.elementwise("add.Tensor", [args[0], result], fact)

    def _copied(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor) -> Ref:
        """``copy(target, source)``: the source in the target's shape and type."""
        return self.elementwise("_to_copy", [args[1]], fact)

    def _number(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor) -> Ref:
        """Tensors filled with one number."""
        numbers = [a for a in args if isinstance(a, (int, float, bool))]
        return Ref(tuple(fact.shape), fact.dtype, literal=numbers[-1])

    def _by_torch(
        self, node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: Any
    ) -> Any:
        """Leave an operation to torch: its operands lie in memory, its results are copied there."""
        args, kwargs = _pytree.tree_map_only(
            Ref, self._at_a_fixed_place, (args, dict(kwargs)), _is_ref
        )
        facts = fact if isinstance(fact, (tuple, list)) else [fact]
        for one in facts:
            _check_type(one.dtype)
        targets = [self.builder.scratch(one.dtype, one.shape) for one in facts]
        reads = [
            leaf for leaf in _pytree.tree_leaves((args, kwargs), _is_ref) if isinstance(leaf, Ref)
        ]
        self.builder.foreign(len(self.foreign), reads, targets)
        self.foreign.append(ForeignCall(node.target, args, kwargs, targets))
        return targets if isinstance(fact, (tuple, list)) else targets[0]

    def _at_a_fixed_place(self, ref: Ref) -> Ref:
        """Noise and rows move from step to step, and a number has no place at all."""
        if ref.storage is None or ref.storage.role in ("noise", "row"):
            return self.builder.copy(ref)
        return ref


@dataclass(frozen=True)
class ForeignCall:
    """An operation that torch runs on tensors that lie in the program's storages.

    Attributes:
        operation: The ATen overload.
        args: Its positional arguments, a :class:`Ref` for each tensor.
        kwargs: Its keyword arguments.
        targets: Where its results are copied to.
    """

    operation: Any
    args: Any
    kwargs: Any
    targets: list[Ref]


def _running(sign: str) -> Callable[..., Ref | None]:
    def handler(lowering: Lowering, args: Any, kwargs: Any, fact: torch.Tensor) -> Ref | None:
        source, dim = args[0], args[1]
        if source.storage is None or source.dtype != fact.dtype or not source.shape:
            return None
        return lowering.builder.scan(source, dim % len(source.shape), sign)

    return handler


def _filled(value: Number) -> Callable[..., Ref]:
    def handler(_: Lowering, args: Any, kwargs: Any, fact: torch.Tensor) -> Ref:
        return Ref(tuple(fact.shape), fact.dtype, literal=value)

    return handler


_Handler = Callable[[Lowering, tuple[Any, ...], Mapping[str, Any], Any], Ref | None]
_HANDLERS: dict[str, _Handler] = {
    **dict.fromkeys(("mm", "mv", "dot", "bmm"), Lowering._matrix_product),
    **dict.fromkeys(("addmm", "addmv"), Lowering._add_product),
    "copy": Lowering._copied,
    "cumsum": _running("+"),
    "cumprod": _running("*"),
    **dict.fromkeys(("full", "full_like", "new_full", "scalar_tensor"), Lowering._number),
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros"), _filled(0)),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), _filled(1)),
    **dict.fromkeys(("empty.memory_format", "empty_like", "new_empty"), _filled(0)),
}
"""What is neither a view, nor indexing, nor elementwise, nor a reduction."""


class _Facts(torch.fx.Interpreter):
    """Runs a graph once and remembers the type and shape of every value."""

    def of(self, example: Sequence[torch.Tensor]) -> dict[Node, Any]:
        """The values by node; their numbers mean nothing."""
        self._values: dict[Node, Any] = {}
        with torch.no_grad():
            self.run(*example)
        return self._values

    def run_node(self, n: Node) -> Any:
        """Run one node; its value is freed as usual, what is known of it is kept."""
        value = super().run_node(n)
        self._values[n] = (
            value
            if n.op == "placeholder"
            else _pytree.tree_map_only(torch.Tensor, lambda t: t.to("meta"), value)
        )
        return value


def _check_type(dtype: torch.dtype) -> None:
    if dtype not in C_TYPES:
        raise NativeUnavailable(f"the generated code has no numbers of type {dtype}")


def _is_uniform(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds one number only; data of its size would make code their own."""
    return tensor.numel() > 0 and bool((tensor == tensor.flatten()[0]).all())


def _as_ref(value: Any) -> Ref:
    if isinstance(value, Ref):
        return value
    dtype = torch.tensor(value).dtype
    return Ref((), dtype, literal=value)


def _is_ref(value: Any) -> bool:
    return isinstance(value, Ref)


def _promoted(refs: Sequence[Ref]) -> torch.dtype:
    """The type in which tensors and numbers are compared: a number follows the tensors."""
    samples = [
        torch.empty(1, dtype=ref.dtype) if ref.storage is not None or ref.shape else ref.literal
        for ref in refs
    ]
    tensors = [s for s in samples if isinstance(s, torch.Tensor)]
    if not tensors:
        return refs[0].dtype
    common = tensors[0]
    for sample in samples:
        common = torch.empty(1, dtype=torch.result_type(common, sample))
    return common.dtype


def _with_dim(ref: Ref, dim: int) -> Ref:
    """A view with one more dimension of size 1."""
    shape, strides = list(ref.shape), list(ref.strides)
    shape.insert(dim, 1)
    strides.insert(dim, 0)
    return replace(ref, shape=tuple(shape), strides=tuple(strides))


def _frozen(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(v) for v in value)
    if isinstance(value, dict):
        return tuple(sorted((k, _frozen(v)) for k, v in value.items()))
    return (type(value), value) if isinstance(value, (bool, int, float)) else value
