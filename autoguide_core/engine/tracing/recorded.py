"""Whether two recordings of a function have done the same."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils import _pytree


class Recorded:
    """What a recorded run has done, in its order; equal to that of another run that did the same.

    Operations, the numbers that they take and the values of constants must all be equal. So a
    schedule is found by its number, however little the number changes the result.

    Args:
        graph: The recording. Its later changes are no matter.
    """

    def __init__(self, graph: GraphModule) -> None:
        place = {node: index for index, node in enumerate(graph.graph.nodes)}
        self._actions: list[tuple[Any, Any, list[Any]]] = []
        for node in graph.graph.nodes:
            if node.op == "get_attr":
                self._actions.append((node.op, None, [getattr(graph, node.target)]))
                continue
            target = node.target if node.op == "call_function" else None
            leaves, structure = _pytree.tree_flatten((node.args, node.kwargs))
            named = [_Place(place[leaf]) if isinstance(leaf, Node) else leaf for leaf in leaves]
            self._actions.append((target, structure, named))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Recorded)
            and len(self._actions) == len(other._actions)
            and all(
                one[:2] == two[:2]
                and len(one[2]) == len(two[2])
                and all(map(_equal, one[2], two[2]))
                for one, two in zip(self._actions, other._actions, strict=True)
            )
        )

    __hash__ = None  # type: ignore[assignment]


class _Place(int):
    """The place of an operation, of which another takes the result."""


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return _are_same_values(one, other)
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


def _are_same_values(one: Tensor, other: Tensor) -> bool:
    if (one.shape, one.dtype, one.device) != (other.shape, other.dtype, other.device):
        return False
    if one.layout != torch.strided or other.layout != torch.strided:
        return False
    same = (one == other) | (one.isnan() & other.isnan())
    return bool(same.all())
