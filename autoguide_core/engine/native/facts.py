"""What is known of the values of a graph before it runs: types, shapes, and how torch lays them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Interpreter, Node
from torch.utils import _pytree


def facts_of(graph: GraphModule, example: Sequence[torch.Tensor]) -> dict[Node, Any]:
    """Run a graph once and remember the type and the layout of every value.

    Args:
        graph: The graph.
        example: Inputs of it.

    Returns:
        For each node its value, with tensors that have the type, shape, strides and offset of
        torch's, but no memory.
    """
    return _Observer(graph).observe(example)


class _Observer(Interpreter):
    def observe(self, example: Sequence[torch.Tensor]) -> dict[Node, Any]:
        self._facts: dict[Node, Any] = {}
        with torch.no_grad():
            self.run(*example)
        return self._facts

    def run_node(self, n: Node) -> Any:
        """Run one node; its value is freed as usual, what is known of it is kept."""
        value = super().run_node(n)
        self._facts[n] = _pytree.tree_map_only(torch.Tensor, _without_memory, value)
        return value


def _without_memory(tensor: torch.Tensor) -> torch.Tensor:
    """The same layout in no memory; ``Tensor.to`` would lay expanded tensors out densely."""
    strides, offset = tensor.stride(), tensor.storage_offset()
    reach = sum((size - 1) * s for size, s in zip(tensor.shape, strides, strict=True) if size)
    memory = torch.empty(offset + max(reach, 0) + 1, dtype=tensor.dtype, device="meta")
    return memory.as_strided(tensor.shape, strides, offset)
