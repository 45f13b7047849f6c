"""Running the compiled steps: pointers in, thousands of steps, numbers out."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils import _pytree

from autoguide_core.engine.interrupts import Interrupts
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.foreign import ForeignCall
from autoguide_core.engine.native.memory import Memory
from autoguide_core.engine.native.program import Program, Ref, Storage

_FOREIGN = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)

_PROBLEMS: dict[int, tuple[type[Exception], str]] = {
    -1: (IndexError, "an index tensor of the model leads outside of what it points into"),
    -2: (RuntimeError, "ZeroDivisionError: the model divides whole numbers by zero"),
}
"""What the generated code returns where torch would raise an error; see ``prelude.h``."""


class NativeRunner:
    """Runs blocks of steps as native code.

    Args:
        library: The compiled program.
        program: The program.
        memory: Where its storages lie.
        constants: The tensors of its constants.
        foreign: The operations that torch runs.
        state: The state that steps will change, in the order of the program's state storages;
            its tensors are written in place and must stay where they are.
        spoilt: Whether the memory begins with NaN, so that what is read before it was written
            shows in the results.

    Attributes:
        calls_python: Whether a step waits for operations that torch runs.
    """

    name, halts = "native", False

    def __init__(
        self,
        library: Path,
        program: Program,
        memory: Memory,
        constants: Sequence[torch.Tensor],
        foreign: Sequence[ForeignCall],
        state: Mapping[str, torch.Tensor],
        *,
        spoilt: bool = False,
    ) -> None:
        try:
            self._entry = ctypes.CDLL(str(library)).run
        except AttributeError:
            raise NativeUnavailable("the compiler made a library without the code") from None
        self._entry.restype = ctypes.c_int64
        self._by_step = [*program.of_role("noise"), *program.of_role("row")]
        self._result = program.results[-1].shape
        self._state = dict(state)
        self._constants = list(constants)
        self._threads = torch.get_num_threads()
        self._scratch = torch.zeros(max(memory.bytes, 1), dtype=torch.uint8)
        if spoilt:
            self._scratch.fill_(255)  # NaN in every type of floating-point numbers
        self._places = self._tensors_of(program, memory)
        self._failure: BaseException | None = None
        self.calls_python = bool(foreign)
        calls = [self._bound(call) for call in foreign]
        self._foreign = _FOREIGN(lambda index: self._call(calls[index]))

    def run(
        self, state: Mapping[str, torch.Tensor], noise: Sequence[torch.Tensor], rows: torch.Tensor
    ) -> torch.Tensor:
        """Run a block of steps, changing the state in place.

        Args:
            state: The very tensors that the runner was made with.
            noise: For each draw of a step a tensor (K, *shape).
            rows: The steps' numbers, shape (K, H).

        Returns:
            The result of each step, float64 (K,), or (K, N) where it is a vector; NaN from the
            step on whose single result was not finite, where the run stops.
        """
        if any(tensor is not self._state[name] for name, tensor in state.items()):
            raise ValueError("the state's tensors are others than those the runner was made with")
        blocks = [one.contiguous() for one in noise]
        rows = rows.contiguous()
        for block, storage in zip([*blocks, rows], self._by_step, strict=True):
            if (block.dtype, block.numel()) != (storage.dtype, len(rows) * storage.size):
                raise ValueError("noise or rows are of another type or size than when compiled")
        results = torch.full((len(rows), *self._result), torch.nan, dtype=torch.float64)
        self._enter(self._arguments(blocks, rows, results))
        return results

    def bound(self, row: torch.Tensor) -> Callable[[], None]:
        """One step without noise, to be made again and again with next to nothing around it.

        Args:
            row: The step's numbers, shape (1, H), contiguous.

        Returns:
            Makes the step, changing the state in place.
        """
        kept = row, torch.empty((1, *self._result), dtype=torch.float64)
        arguments = self._arguments((), *kept)

        def step(_kept: object = kept) -> None:
            self._enter(arguments)

        return step

    def _arguments(
        self, blocks: Sequence[torch.Tensor], rows: torch.Tensor, results: torch.Tensor
    ) -> tuple[Any, ...]:
        return (
            ctypes.c_int64(len(rows)),
            _pointers(list(self._state.values())),
            _pointers(blocks),
            ctypes.c_void_p(rows.data_ptr()),
            _pointers(self._constants),
            ctypes.c_void_p(self._scratch.data_ptr()),
            ctypes.c_void_p(results.data_ptr()),
            self._foreign,
            ctypes.c_int32(self._threads),
        )

    def _enter(self, arguments: Sequence[Any]) -> None:
        """Call the code, and raise what went wrong in it, if anything."""
        if self.calls_python:  # an exception between C++ and a function called from it gets lost
            with Interrupts(patience=math.inf):
                finished = self._entry(*arguments)
        else:
            finished = self._entry(*arguments)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if finished in _PROBLEMS:
            kind, message = _PROBLEMS[finished]
            raise kind(message)

    def _tensors_of(self, program: Program, memory: Memory) -> dict[Storage, torch.Tensor]:
        """A flat tensor over the memory of each storage that has a fixed place."""
        places: dict[Storage, torch.Tensor] = {}
        given = zip(program.of_role("state"), self._state.values(), strict=True)
        places.update((storage, tensor.view(-1)) for storage, tensor in given)
        for storage, tensor in zip(program.of_role("constant"), self._constants, strict=True):
            places[storage] = tensor
        for storage, start in memory.offsets().items():
            size = storage.size * storage.dtype.itemsize
            places[storage] = self._scratch[start : start + size].view(storage.dtype)
        for storage in program.storages:
            if memory.place(storage) is not storage:
                places[storage] = places[memory.place(storage)]
        return places

    def _bound(self, call: ForeignCall) -> Callable[[], None]:
        """An operation with tensors in the places of its references."""
        args, kwargs = _pytree.tree_map_only(
            Ref, self._tensor, (call.args, call.kwargs), is_leaf=lambda v: isinstance(v, Ref)
        )
        targets = [None if target is None else self._tensor(target) for target in call.targets]

        def run() -> None:
            values = call.operation(*args, **kwargs)
            values = values if isinstance(values, (tuple, list)) else [values]
            for target, value in zip(targets, values, strict=True):
                if target is not None:
                    target.copy_(value)

        return run

    def _tensor(self, ref: Ref) -> torch.Tensor:
        assert ref.storage is not None
        base = self._places[ref.storage]
        return base.as_strided(ref.shape, ref.strides, base.storage_offset() + ref.offset)

    def _call(self, operation: Callable[[], None]) -> int:
        """Run a foreign operation; an error must not pass through the C++ code."""
        try:
            with torch.no_grad():
                operation()
        except BaseException as error:
            self._failure = error
            return 1
        return 0


def _pointers(tensors: Sequence[torch.Tensor]) -> Any:
    return (ctypes.c_void_p * max(len(tensors), 1))(*(t.data_ptr() for t in tensors))
