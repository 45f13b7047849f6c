"""Operations that speak of memory rather than of elements: walks through the memory of a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.indexing import changed
from autoguide_core.engine.native.program import Ref

AS_STRIDED = frozenset({"as_strided", "as_strided_scatter"})


def as_strided(
    builder: Builder,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    source: torch.Tensor,
) -> Ref:
    """Lower an operation of ``AS_STRIDED``.

    Args:
        builder: Where statements go.
        name: The operation.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        source: How torch lays out the tensor whose memory is spoken of.

    Raises:
        NativeUnavailable: If that is not row by row, or the walk leaves the tensor: the program
            lays out tensors in its own way.
    """
    rest = args[1:] if name == "as_strided" else args[2:]
    size, strides, *offset = rest
    start = offset[0] if offset else kwargs.get("storage_offset")
    start = 0 if start is None else start - source.storage_offset()
    reach = start + sum((n - 1) * s for n, s in zip(size, strides, strict=True))
    inside = start >= 0 and (0 in size or reach < source.numel())
    if not source.is_contiguous() or not inside:
        raise NativeUnavailable(f"{name} on a tensor that is not laid out row by row")
    dense = builder.copy(args[0]) if name == "as_strided" else changed(builder, args[0])
    walk = replace(dense, shape=tuple(size), strides=tuple(strides), offset=start)
    if name == "as_strided":
        return walk
    builder.write(walk, args[1])
    return dense
