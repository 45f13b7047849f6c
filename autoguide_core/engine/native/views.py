"""Views: operations that move no element, and only change how a tensor is walked through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch.utils import _pytree

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.program import Ref

_SAME = frozenset(
    {"alias", "detach", "real", "clone", "lift_fresh", "lift_fresh_copy", "contiguous"}
)
_RESHAPES = frozenset({"view", "_unsafe_view", "reshape", "_reshape_alias"})
VIEWS = (
    _SAME
    | _RESHAPES
    | {
        *("expand", "permute", "transpose.int", "t", "diagonal"),
        *("slice.Tensor", "select.int", "split_with_sizes", "split.Tensor", "unbind.int"),
        *("unsqueeze", "squeeze", "squeeze.dim", "squeeze.dims"),
    }
)
"""Copies are among them: no operation of a graph changes its arguments."""


def view(
    builder: Builder,
    name: str,
    operation: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    fact: Any,
) -> Any:
    """Apply a view operation to a tensor.

    Torch itself is asked, on a tensor without memory, for the strides of the result; where there
    are none (a reshape of an expanded tensor, say), the tensor is copied first.

    Returns:
        The view, or a list of views.
    """
    source: Ref = args[0]
    if source.storage is None:
        return _pytree.tree_map_only(
            torch.Tensor, lambda t: replace(source, shape=tuple(t.shape)), fact
        )
    if name in _SAME:
        return source
    if name in _RESHAPES:
        return reshape(builder, source, tuple(fact.shape))
    options = {k: v for k, v in kwargs.items() if k != "memory_format"}
    return through(builder, source, lambda walk: operation(walk, *args[1:], **options))


def reshape(builder: Builder, source: Ref, shape: tuple[int, ...]) -> Ref:
    """A tensor in another shape."""
    if source.storage is None:
        return replace(source, shape=shape)
    reshaped: Ref = through(builder, source, lambda walk: walk.view(shape))
    return reshaped


def through(builder: Builder, source: Ref, operation: Any) -> Any:
    """Apply a view, given as a function of a tensor without memory."""
    try:
        viewed = operation(_walk(source))
    except (RuntimeError, ValueError):
        source = builder.copy(source)
        viewed = operation(_walk(source))
    return _pytree.tree_map_only(
        torch.Tensor,
        lambda t: replace(
            source, shape=tuple(t.shape), strides=tuple(t.stride()), offset=t.storage_offset()
        ),
        viewed,
    )


def _walk(ref: Ref) -> torch.Tensor:
    reach = 1 + sum((n - 1) * s for n, s in zip(ref.shape, ref.strides, strict=True) if n)
    base = torch.empty(ref.offset + max(reach, 1), device="meta", dtype=ref.dtype)
    return base.as_strided(ref.shape, ref.strides, ref.offset)
