"""Operations that are left to torch, in the midst of native steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils import _pytree

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.operations import check_type
from autoguide_core.engine.native.program import Ref, dense_strides


@dataclass(frozen=True)
class ForeignCall:
    """An operation that torch runs on tensors that lie in the program's storages.

    Attributes:
        operation: The ATen overload.
        args: Its positional arguments, a :class:`Ref` for each tensor.
        kwargs: Its keyword arguments.
        targets: Where its results are copied to; None for a result that is none.
    """

    operation: Any
    args: Any
    kwargs: Any
    targets: list[Ref | None]


def foreign_call(
    builder: Builder,
    number: int,
    operation: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    fact: Any,
) -> ForeignCall:
    """Let torch run an operation: its operands lie in memory, its results are copied there.

    Args:
        builder: Where the call goes.
        number: The call's number in the program.
        operation: The ATen overload.
        args: Its positional arguments, a :class:`Ref` for each tensor.
        kwargs: Its keyword arguments.
        fact: Its result, or the sequence of its results.

    Raises:
        NativeUnavailable: If that cannot be: its results are no tensors, or of a strange type, or
            it changes its arguments.
    """
    facts = fact if isinstance(fact, (tuple, list)) else [fact]
    if not isinstance(operation, torch._ops.OpOverload) or operation._schema.is_mutable:
        raise NativeUnavailable(f"a step calls {operation}, which is no pure operation of torch's")
    for one in facts:
        if isinstance(one, torch.Tensor):
            check_type(one.dtype)
        elif one is not None:
            raise NativeUnavailable(f"{operation} gives more than tensors")
    targets = [None if one is None else _like(builder, one) for one in facts]
    args, kwargs = _pytree.tree_map_only(
        Ref, lambda ref: _at_a_fixed_place(builder, ref), (args, dict(kwargs)), is_ref
    )
    leaves = _pytree.tree_leaves((args, kwargs), is_ref)
    reads = [leaf for leaf in leaves if isinstance(leaf, Ref)]
    builder.foreign(number, reads, [target for target in targets if target is not None])
    return ForeignCall(operation, args, kwargs, targets)


def is_ref(value: Any) -> bool:
    """Whether a value is a tensor of the program."""
    return isinstance(value, Ref)


def _like(builder: Builder, result: torch.Tensor) -> Ref:
    """A scratch tensor laid out as a result is, so that copying it is one straight run."""
    target = builder.scratch(result.dtype, result.shape)
    shape, strides = tuple(result.shape), tuple(result.stride())
    order = sorted(range(len(shape)), key=lambda d: -strides[d])
    is_dense = tuple(strides[d] for d in order) == dense_strides(tuple(shape[d] for d in order))
    return replace(target, strides=strides) if is_dense else target


def _at_a_fixed_place(builder: Builder, ref: Ref) -> Ref:
    """Noise and rows move from step to step, and a number has no place at all."""
    if ref.storage is None or ref.storage.role in ("noise", "row"):
        return builder.copy(ref)
    return ref
