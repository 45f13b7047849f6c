"""A make-believe GPU: real numbers in the host's memory behind a device of its own.

It is as strict as CUDA about devices: an operation on tensors of both is an error, unless the
host's is a number of no dims or an index. And it can refuse what no recording of a GPU's work can
hold: whatever waits for the GPU, or copies to it or from it. Importing this file registers a
backend for the whole process, so tests run it in a process of its own.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from pyro.ops import provenance
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

aten = torch.ops.aten
NAME = "gpu"
_INDEXING = {
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
}
_WAITING = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.repeat_interleave.Tensor,
    aten.equal.default,
    aten.is_nonzero.default,
}
_PRODUCTS = (torch.matmul, Tensor.matmul, Tensor.__matmul__, Tensor.__rmatmul__)
_COPYING = {aten.copy_.default, aten._to_copy.default, aten.copy.default}
_TAKING_NUMBERS = ("where", "fill", "lerp", "clamp", "masked_fill", "addc", "normal")
_FACTORIES = [
    "eye",
    "eye.m",
    "arange",
    "arange.start",
    "arange.start_step",
    "randperm",
    "randperm.generator",
    "linspace",
    "tril_indices",
    "triu_indices",
    "scalar_tensor",
    "full",
    "zeros",
    "ones",
    "rand",
    "rand.generator",
    "randn",
    "randn.generator",
    "randint",
    "randint.generator",
    "randint.low",
    "randint.low_generator",
    "normal.float_float",
]


class DeviceMismatchError(RuntimeError):
    """Tensors of host and GPU in one operation."""


class WaitError(RuntimeError):
    """An operation that a recording cannot hold."""


class _Backend(_DummyBackendModule):  # type: ignore[misc]
    def get_rng_state(self, device: Any = None) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        torch.set_rng_state(state)

    def synchronize(self, *device: Any) -> None:
        """Nothing is ever under way."""


_setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())
DEVICE = torch.device(NAME, 0)
_is_recording = False


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """Refuse what waits while inside."""
    global _is_recording
    _is_recording = True
    try:
        yield
    finally:
        _is_recording = False


class OnDevice(Tensor):
    """A tensor of the simulated device.

    Attributes:
        raw: Its numbers, a tensor of the host.
    """

    raw: Tensor

    @staticmethod
    def __new__(cls, raw: Tensor) -> OnDevice:
        raw = raw.detach()
        made: OnDevice = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            layout=raw.layout,
            device=DEVICE,
        )
        made.raw = raw
        return made

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    @property
    def data(self) -> OnDevice:
        return OnDevice(self.raw)

    @data.setter
    def data(self, value: OnDevice) -> None:
        assert isinstance(value, OnDevice), "data from another device"
        self.raw = value.raw

    def untyped_storage(self) -> Any:
        return self.raw.untyped_storage()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = OnDevice(self.raw.clone()).requires_grad_(self.requires_grad)
        if getattr(self, "_is_param", False):
            twin._is_param = True
        memo[id(self)] = twin
        return twin

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func in _PRODUCTS and not kwargs:  # torch takes products with vectors apart for CUDA
            left, right = reversed(args) if func is Tensor.__rmatmul__ else args
            if left.dim() == 1 and right.dim() >= 2:
                return torch.matmul(left.unsqueeze(0), right).squeeze(-2)
            if right.dim() == 1 and left.dim() >= 2:
                return torch.matmul(left, right.unsqueeze(-1)).squeeze(-1)
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    leaves = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    ours = [leaf for leaf in leaves if isinstance(leaf, OnDevice)]
    hosts = [leaf for leaf in leaves if not isinstance(leaf, OnDevice)]
    _check(func, args, kwargs, ours, hosts)
    raw = pytree.tree_map_only(OnDevice, lambda leaf: leaf.raw, (args, dict(kwargs)))
    given, options = raw
    result_is_ours = bool(ours)
    if options.get("device") is not None:
        result_is_ours = torch.device(options["device"]).type == NAME
        options["device"] = torch.device("cpu")
    result = given[0].detach() if func is aten.detach.default else func(*given, **options)
    if func._schema.is_mutable:  # in place: the very objects are handed back
        written = [
            args[place] if place < len(args) else kwargs.get(argument.name)
            for place, argument in enumerate(func._schema.arguments)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        count = len(func._schema.returns)
        return None if count == 0 else written[0] if count == 1 else tuple(written)
    if not result_is_ours:
        return result
    return pytree.tree_map_only(
        Tensor, lambda leaf: leaf if isinstance(leaf, OnDevice) else OnDevice(leaf), result
    )


def _check(
    func: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    ours: Sequence[Tensor],
    hosts: Sequence[Tensor],
) -> None:
    if not ours:
        return
    device = kwargs.get("device")
    leaves = device is not None and torch.device(device).type != NAME
    if func in _COPYING and (hosts or leaves):
        _waits(f"{func}: a copy between host and GPU")
    elif hosts and func in _INDEXING and isinstance(args[0], OnDevice):
        _waits(f"{func}: an index on the host")
    elif hosts:
        name = str(func).removeprefix("aten.")
        takes = torch.Tag.pointwise in func.tags or name.startswith(_TAKING_NUMBERS)
        if not takes or any(leaf.dim() for leaf in hosts):
            raise DeviceMismatchError(f"{func} of tensors of host and GPU, {_where()}")
    if func in _WAITING:
        _waits(str(func))
    if func in _INDEXING and any(
        leaf.dtype == torch.bool for leaf in pytree.tree_leaves(args[1]) if leaf is not None
    ):
        _waits(f"{func}: a boolean index")


def _waits(what: str) -> None:
    if _is_recording:
        raise WaitError(f"{what}, {_where()}")


def _where() -> str:
    for frame in reversed(traceback.extract_stack()):
        if "/autoguide_core/" in frame.filename and "simulated_device" not in frame.filename:
            return f"{frame.filename.rpartition('/')[2]}:{frame.lineno}: {frame.line}"
    return "outside"


def _empty(size: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    return OnDevice(torch.empty(size, dtype=dtype, device="cpu"))


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    return OnDevice(torch.empty_strided(size, stride, dtype=dtype, device="cpu"))


def _copy_from(source: Any, target: Any, non_blocking: bool = False) -> Any:
    raw = source.raw if isinstance(source, OnDevice) else source
    (target.raw if isinstance(target, OnDevice) else target).copy_(raw)
    return target


def _factory(operation: Any) -> Any:
    def make(*args: Any, **options: Any) -> Tensor:
        options.pop("pin_memory", None)
        return OnDevice(operation(*args, **{**options, "device": torch.device("cpu")}))

    return make


class _Marked(provenance.ProvenanceTensor):  # type: ignore[misc]
    """Pyro's tensors that know where they come from, around one of the device."""

    def __new__(cls, data: Tensor, marks: Any = frozenset(), **options: Any) -> Any:
        if not marks:
            return data
        made = (
            Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
                cls, data.size(), strides=data.stride(), dtype=data.dtype, device=DEVICE
            )
            if isinstance(data, OnDevice)
            else data.as_subclass(cls)
        )
        made._t, made._provenance = data, marks
        return made

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        bare = provenance.detach_provenance
        return func(*pytree.tree_map(bare, args), **pytree.tree_map(bare, kwargs or {}))


provenance.ProvenanceTensor.__new__ = _Marked.__new__
provenance.ProvenanceTensor.__torch_dispatch__ = _Marked.__dict__["__torch_dispatch__"]


_HostGenerator = torch.Generator


class _Generator(_HostGenerator):  # type: ignore[misc, valid-type]
    """A generator of the host that says where it was asked to be."""

    def __new__(cls, device: Any = "cpu") -> Any:
        return _HostGenerator.__new__(cls, "cpu")

    def __init__(self, device: Any = "cpu") -> None:
        self._asked = torch.device(device)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return DEVICE if self._asked.type == NAME else self._asked


torch.Generator = _Generator  # type: ignore[misc]
for _module in list(sys.modules.values()):
    if getattr(_module, "Generator", None) is _HostGenerator:
        _module.Generator = _Generator  # type: ignore[attr-defined]
_library = torch.library.Library("aten", "IMPL")
_library.impl("empty.memory_format", _empty, "PrivateUse1")
_library.impl("empty_strided", _empty_strided, "PrivateUse1")
_library.impl("_copy_from", _copy_from, "PrivateUse1")
for _name in _FACTORIES:
    _packet, _, _overload = _name.partition(".")
    _operation = getattr(getattr(aten, _packet), _overload or "default")
    _library.impl(_name, _factory(_operation), "PrivateUse1")
