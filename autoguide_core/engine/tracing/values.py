"""What the Python of a model may know of the values of tensors while it is recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves

from autoguide_core.engine.tracing.modes import OperationMode
from autoguide_core.engine.tracing.record import Unrecordable

_aten = torch.ops.aten

_TO_PYTHON = frozenset(
    {
        *("__bool__", "__complex__", "__float__", "__index__", "__int__", "item", "tolist"),
        *("numpy", "__array__", "__dlpack__", "__deepcopy__", "__reduce_ex__"),
        *("data_ptr", "const_data_ptr", "storage", "untyped_storage", "share_memory_"),
        *("apply_", "map_", "map2_"),
    }
)
"""Methods of tensors that hand out values or memory, not all of them by an operation."""

_FROM_LISTS = frozenset({"tensor", "as_tensor", "asarray", "new_tensor", "new"})
"""Functions that read the tensors in a list as numbers, without an operation."""

_SIZED_BY_SECOND = frozenset(
    {_aten._pack_padded_sequence.default, _aten._pad_packed_sequence.default}
)
"""Operations whose results have shapes that depend on their second argument, though no tag says."""


@contextlib.contextmanager
def watched_values(variable: Sequence[Tensor]) -> Iterator[None]:
    """Answer reads of what never changes, and refuse those of what does, while inside.

    ``groups.max().item()``, ``torch.unique(x)`` and the like depend on the data alone, are the
    same at every step and become constants of a recording. What is computed from ``variable``, or
    drawn, is another at every step: its values are out of reach for Python, be it by ``float``,
    by ``tolist`` or ``numpy``, or by a shape that depends on them. To tell one from the other,
    what is computed is followed by memory, since a part of a tensor may be written.

    Args:
        variable: The tensors whose values change from step to step.

    Raises:
        Unrecordable: At the read, with the reason as its message.
    """
    memories = _Memories(variable)
    with _Operations(memories), _Methods(memories):
        yield
    if memories.are_read and memories.are_changed:
        raise Unrecordable("the model reads values, and changes tensors of its own in place")


def leaving(name: str, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> list[Tensor]:
    """The tensors whose values a function of torch's hands to Python, by the function's name."""
    if name in _TO_PYTHON:
        return _tensors((args, keywords))
    if name in _FROM_LISTS:
        return _tensors([argument for argument in args if isinstance(argument, list | tuple)])
    return _tensors((args[1:], keywords)) if name == "tensor_split" else []


class _Memories:
    """Which memories have other contents at another step.

    Attributes:
        are_read: Whether numbers were read off memories that never change.
        are_changed: Whether a tensor that was there before was written to.
    """

    def __init__(self, variable: Sequence[Tensor]) -> None:
        # The memories are held, or their addresses might serve again.
        self._varying = _by_address(variable)
        self._new: dict[int, Any] = {}
        self.are_read = self.are_changed = False

    def vary(self, tensors: Sequence[Tensor]) -> bool:
        """Whether any of these has other contents at another step."""
        return any(address in self._varying for address in _by_address(tensors))

    def operated(
        self,
        given: Sequence[Tensor],
        written: Sequence[Tensor],
        results: Sequence[Tensor],
        *,
        varies: bool,
    ) -> None:
        """Take note of an operation: what it was given, what of it was written to, its results."""
        made = _by_address(results)
        for address in _by_address(given):
            made.pop(address, None)
        self._new |= made
        changed = _by_address(written)
        # Those that were there before, a counter say, will be others at the next step.
        kept = {address: m for address, m in changed.items() if address not in self._new}
        self.are_changed = self.are_changed or not kept.keys() <= self._varying.keys()
        self._varying |= {**made, **changed} if varies else kept


class _Operations(OperationMode):
    """Stands above a recorder, and answers reads of constants in its place."""

    def __init__(self, memories: _Memories) -> None:
        super().__init__()
        self._memories = memories

    def operate(self, func: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        given = _tensors((args, keywords))
        varies = self._memories.vary(given)
        reads = _gives_numbers(func)
        if varies and reads:
            raise Unrecordable("the model branches on values")
        if varies and self._is_sized_by_values(func, args):
            raise Unrecordable("a shape depends on values")
        if not varies and (reads or torch.Tag.dynamic_output_shape in func.tags):
            self._memories.are_read = True
            with _disable_current_modes():
                return func(*args, **keywords)
        results = func(*args, **keywords)
        varies = varies or torch.Tag.nondeterministic_seeded in func.tags
        written = _written(func, args, keywords)
        self._memories.operated(given, written, _tensors(results), varies=varies)
        return results

    def _is_sized_by_values(self, func: Any, args: tuple[Any, ...]) -> bool:
        if func is _aten.index.Tensor:  # by numbers, which give a fixed shape, or by a mask
            masks = [t for t in _tensors(args[1]) if t.dtype in (torch.bool, torch.uint8)]
            return self._memories.vary(masks)
        if func in _SIZED_BY_SECOND:
            return self._memories.vary([args[1]])
        return torch.Tag.dynamic_output_shape in func.tags


class _Methods(TorchFunctionMode):
    """Refuses to let values leave for numpy, lists or bare memory, where no mode follows."""

    def __init__(self, memories: _Memories) -> None:
        super().__init__()
        self._memories = memories

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        if read := leaving(getattr(func, "__name__", ""), args, keywords):
            if self._memories.vary(read):
                raise Unrecordable("the model branches on values")
            self._memories.are_read = True
        return func(*args, **keywords)


def _gives_numbers(func: Any) -> bool:
    """Whether an operation has a result that is no tensor."""
    return torch.Tag.data_dependent_output in func.tags or any(
        "Tensor" not in str(result.type) for result in func._schema.returns
    )


def _written(func: Any, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> list[Tensor]:
    """The arguments that an operation writes to."""
    if not func._schema.is_mutable:
        return []
    given = {a.name: value for a, value in zip(func._schema.arguments, args, strict=False)}
    given |= keywords
    return _tensors(
        [
            given.get(argument.name)
            for argument in func._schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
    )


def _by_address(tensors: Sequence[Tensor]) -> dict[int, Any]:
    """The memories of tensors by their addresses."""
    with torch._C.DisableTorchFunction():
        memories = [tensor.untyped_storage() for tensor in tensors]
    return {memory._cdata: memory for memory in memories}


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
