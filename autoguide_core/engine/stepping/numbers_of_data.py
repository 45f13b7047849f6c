"""Letting a model read plain numbers off its data while it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves

from autoguide_core.engine.tracing.modes import OperationMode

_NEEDS_VALUES = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)


class NumbersOfData(OperationMode):
    """Answers ``groups.max().item()``, ``torch.unique(x)`` and the like while inside.

    A recorder refuses to hand out any value that has been computed. One that hangs on the data
    alone is the same at every step, so it may be read, and becomes a constant. To tell, the mode
    follows what is computed from ``variable``, by memory, since a part of a tensor may be written.

    Args:
        variable: The tensors whose values change from step to step.
    """

    def __init__(self, variable: Sequence[Tensor]) -> None:
        super().__init__()
        # The memories are held, or their addresses might serve again.
        self._memories = {m._cdata: m for m in map(_memory, variable)}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = dict(kwargs or {})
        if not any(_memory(t)._cdata in self._memories for t in _tensors((args, keywords))):
            if not any(tag in func.tags for tag in _NEEDS_VALUES):
                return func(*args, **keywords)
            with _disable_current_modes():
                return func(*args, **keywords)
        results = func(*args, **keywords)
        written = args[:1] if func._schema.is_mutable else ()
        for tensor in _tensors((results, written)):
            memory = _memory(tensor)
            self._memories[memory._cdata] = memory
        return results


def _memory(tensor: Tensor) -> Any:
    return tensor.untyped_storage()


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
