"""Reading and writing at places that index tensors name, and placing one tensor inside another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from autoguide_core.engine.native.builder import Builder, Index
from autoguide_core.engine.native.operations import overload
from autoguide_core.engine.native.program import Ref
from autoguide_core.engine.native.views import through

_MASKS = (torch.bool, torch.uint8)
Handler = Callable[[Builder, tuple[Any, ...], Mapping[str, Any], torch.Tensor], Ref | None]


def _index(
    builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """``source[i, j, :, …]``."""
    return _read(builder, args[0], args[1])


def _index_select(
    builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """``source`` at an index along one dimension."""
    source, dim, index = args
    if not source.shape or len(index.shape) != 1:
        return None
    return _read(builder, source, [None] * (dim % len(source.shape)) + [index])


def _embedding(
    builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    return _read(builder, args[0], [args[1]])


def _gather(
    builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """``source[i0, …, index[i0, …, id, …], …]``: the index takes one dimension's place."""
    source, dim, index = args[:3]
    if source.storage is None or not source.shape or source.numel == 0:
        return None
    dim %= len(source.shape)
    index = _checked(builder, index, source.shape[dim])
    strides = tuple(0 if d == dim else s for d, s in enumerate(source.strides))
    place = replace(source, shape=tuple(fact.shape), strides=strides)
    return builder.gather(place, strides, [(index, source.strides[dim], source.shape[dim])])


def _index_put(
    builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """A copy of a tensor, changed at some indices."""
    base, indices, values, *rest = args
    accumulate = bool(rest[0]) if rest else bool(kwargs.get("accumulate", False))
    if not _can_be_walked(base, indices):
        return None
    result = changed(builder, base)
    place, index = _plan(builder, result, indices)
    builder.write(place, _broadcast(values, place.shape), "+" if accumulate else "=", index)
    return result


def _scatter(sign: str) -> Handler:
    """A copy of a tensor, changed along a dimension at the indices that a tensor names."""

    def handler(
        builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
    ) -> Ref | None:
        base, dim, index, values = args[:4]
        if kwargs or not base.shape or base.numel == 0:
            return None
        dim %= len(base.shape)
        index = _checked(builder, index, base.shape[dim])
        result = changed(builder, base)
        strides = tuple(0 if d == dim else s for d, s in enumerate(result.strides))
        place = replace(result, shape=index.shape, strides=strides)
        if not isinstance(values, Ref):
            values = Ref((), base.dtype, literal=values)
        elif values.storage is not None:
            values = replace(values, shape=index.shape)
        where: Index = (index, result.strides[dim], result.shape[dim])
        builder.write(place, _broadcast(values, index.shape), sign, [where])
        return result

    return handler


def _placed(operation: str) -> Handler:
    """One tensor put into a part of another; the part is what a view of the whole gives."""

    def handler(
        builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
    ) -> Ref | None:
        base, values, *where = args
        result = changed(builder, base)
        view_of = overload(operation)
        part = through(builder, result, lambda walk: view_of(walk, *where, **kwargs))
        builder.write(part, values)
        return result

    return handler


def _gradient_of_part(operation: str) -> Handler:
    """Zeros but for a part that a view of the whole gives."""

    def handler(
        builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
    ) -> Ref | None:
        values, _, *where = args
        result = builder.scratch(fact.dtype, fact.shape, fill=0)
        view_of = overload(operation)
        part = through(builder, result, lambda walk: view_of(walk, *where))
        builder.write(part, values)
        return result

    return handler


def _concatenate(
    builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    parts, *rest = args
    dim = (rest[0] if rest else kwargs.get("dim", 0)) % max(len(fact.shape), 1)
    result = builder.scratch(fact.dtype, fact.shape)
    start = 0
    for part in parts:
        if part.numel == 0:
            continue
        offset = start * result.strides[dim]
        builder.write(replace(result, shape=part.shape, offset=offset), part, disjoint=True)
        start += part.shape[dim]
    return result


def _pad(
    builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """More of one number on each side; a negative width cuts off."""
    source, padding, *rest = args
    value = rest[0] if rest else kwargs.get("value", 0)
    lead = len(fact.shape) - len(padding) // 2
    before = [0] * lead + list(padding[-2::-2])
    after = [0] * lead + list(padding[::-2])
    result = builder.scratch(fact.dtype, fact.shape, fill=value)
    inside, offset, start = [], source.offset, 0
    strides = source.strides or (0,) * len(source.shape)
    for d, size in enumerate(source.shape):
        inside.append(size + min(before[d], 0) + min(after[d], 0))
        offset -= min(before[d], 0) * strides[d]
        start += max(before[d], 0) * result.strides[d]
    if min(inside, default=1) > 0:
        shape = tuple(inside)
        builder.write(
            replace(result, shape=shape, offset=start), replace(source, shape=shape, offset=offset)
        )
    return result


def _flip(
    builder: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any], fact: torch.Tensor
) -> Ref | None:
    """Walked through backwards, and copied: a view cannot have negative strides."""
    source: Ref = args[0]
    dims: Sequence[int] = args[1]
    if source.storage is None or source.numel < 2:
        return source
    turned = {d % len(source.shape) for d in dims}
    offset = source.offset
    strides = list(source.strides)
    for d in turned:
        offset += (source.shape[d] - 1) * strides[d]
        strides[d] = -strides[d]
    return builder.copy(replace(source, strides=tuple(strides), offset=offset))


INDEXING: dict[str, Handler] = {
    "index.Tensor": _index,
    "_unsafe_index.Tensor": _index,
    "index_select": _index_select,
    "embedding": _embedding,
    "gather": _gather,
    "index_put": _index_put,
    "_unsafe_index_put": _index_put,
    "_index_put_impl": _index_put,
    "scatter_add": _scatter("+"),
    "scatter.src": _scatter("="),
    "scatter.value": _scatter("="),
    "slice_scatter": _placed("slice.Tensor"),
    "select_scatter": _placed("select.int"),
    "diagonal_scatter": _placed("diagonal"),
    "slice_backward": _gradient_of_part("slice.Tensor"),
    "select_backward": _gradient_of_part("select.int"),
    "diagonal_backward": _gradient_of_part("diagonal"),
    "cat": _concatenate,
    "constant_pad_nd": _pad,
    "flip": _flip,
}
"""By the operation's name; a handler returns None for what it leaves to torch."""


def _can_be_walked(source: Ref, indices: Sequence[Ref | None]) -> bool:
    """Whether ``source[indices]`` can be walked through.

    Index tensors have to stand side by side; with a gap between them torch moves their dimensions
    to the front, which is left to it, as are masks.
    """
    at = [d for d, index in enumerate(indices) if index is not None]
    masked = any(index is not None and index.dtype in _MASKS for index in indices)
    beside = bool(at) and at == list(range(at[0], at[0] + len(at)))
    return beside and not masked and source.numel > 0


def _plan(builder: Builder, source: Ref, indices: Sequence[Ref | None]) -> tuple[Ref, list[Index]]:
    """How ``source[indices]`` is walked through: its shape and own strides, and its indices."""
    at = [d for d, index in enumerate(indices) if index is not None]
    given = [index for index in indices if index is not None]
    common = torch.broadcast_shapes(*(index.shape for index in given))
    after = at[0] + len(at)
    shape = source.shape[: at[0]] + tuple(common) + source.shape[after:]
    strides = source.strides[: at[0]] + (0,) * len(common) + source.strides[after:]
    trailing = len(source.shape) - after
    places: list[Index] = [
        (
            _followed(_checked(builder, index, source.shape[d]), trailing),
            source.strides[d],
            source.shape[d],
        )
        for d, index in zip(at, given, strict=True)
    ]
    return replace(source, shape=shape, strides=strides), places


def _checked(builder: Builder, index: Ref, size: int) -> Ref:
    """An index tensor in memory, the numbers of which are within a dimension of ``size``.

    Constants were met when the graph was traced; others stop the steps if they lead outside.
    """
    if index.storage is None:
        return builder.copy(index)
    if index.storage.role == "constant":
        return index
    limit = Ref((), torch.int64, literal=size)
    place, whole = "m_place({0}, {1}, f.problem)", torch.int64
    return builder.compute(place, [index, limit], index.shape, whole, [whole, whole])


def _followed(index: Ref, dims: int) -> Ref:
    """An index tensor with ``dims`` more dimensions of size 1 at its end."""
    return replace(index, shape=index.shape + (1,) * dims, strides=index.strides + (0,) * dims)


def _read(builder: Builder, source: Ref, indices: Sequence[Ref | None]) -> Ref | None:
    if source.storage is None or not _can_be_walked(source, indices):
        return None
    place, index = _plan(builder, source, indices)
    return builder.gather(place, place.strides, index)


def changed(builder: Builder, base: Ref) -> Ref:
    """A scratch tensor that holds ``base``, to be written over in part."""
    result = builder.scratch(base.dtype, base.shape, fill=base.literal)
    if base.storage is not None:
        builder.write(result, base)
    return result


def _broadcast(values: Ref, shape: tuple[int, ...]) -> Ref:
    if values.storage is None:
        return replace(values, shape=shape)
    lead = len(shape) - len(values.shape)
    strides = (0,) * lead + tuple(
        0 if size == 1 else stride
        for size, stride in zip(values.shape, values.strides, strict=True)
    )
    return replace(values, shape=shape, strides=strides)
