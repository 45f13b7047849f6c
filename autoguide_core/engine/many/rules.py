"""Operations that ``torch.vmap`` cannot do for many at once, or only slowly, in terms of others."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule


def replace_operations(graph: GraphModule) -> None:
    """Let a graph without in-place operations call functions that can be batched, in place."""
    for operation, rule in _RULES.items():
        for node in graph.graph.find_nodes(op="call_function", target=operation):
            node.target = rule
    graph.recompile()


def _copy(target: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    return source.to(target).expand(target.shape)


def _slice_scatter(
    whole: Tensor,
    part: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    size = whole.shape[dim]
    first, last, _ = slice(start, end).indices(size)
    places = range(first, last, step)
    if step != 1:
        return _replaced(whole, part, dim, places)
    after = size - first - len(places)
    pieces = [whole.narrow(dim, 0, first), part, whole.narrow(dim, size - after, after)]
    return torch.cat([piece for piece in pieces if piece.shape[dim]], dim)


def _as_strided_scatter(
    whole: Tensor,
    part: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    start = storage_offset or 0
    indices = itertools.product(*map(range, size))
    places = [start + sum(map(operator.mul, index, stride)) for index in indices]
    return _replaced(whole.reshape(-1), part.reshape(-1), 0, places).reshape(whole.shape)


def _replaced(whole: Tensor, part: Tensor, dim: int, places: Sequence[int]) -> Tensor:
    """A tensor whose slices at some places along a dim are those of another, one by one."""
    sources = {place: source for source, place in enumerate(places)}
    size, device = range(whole.shape[dim]), whole.device
    is_replaced = torch.tensor([place in sources for place in size], device=device)
    spread = part.index_select(
        dim, torch.tensor([sources.get(place, 0) for place in size], device=device)
    )
    shape = [1] * whole.dim()
    shape[dim] = -1
    return torch.where(is_replaced.reshape(shape), spread, whole)


_RULES: dict[Any, Any] = {
    torch.ops.aten.copy.default: _copy,
    torch.ops.aten.slice_scatter.default: _slice_scatter,
    torch.ops.aten.as_strided_scatter.default: _as_strided_scatter,
}
"""What takes the place of an operation."""
