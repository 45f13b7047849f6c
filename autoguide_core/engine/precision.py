"""Evaluating a single-precision model in double precision, without changing the model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree


def to_double(value: Any) -> Any:
    """Cast every float32 tensor inside nested lists, tuples and dicts to float64."""

    def cast(leaf: Any) -> Any:
        return leaf.double() if _is_single(leaf) else leaf

    return _pytree.tree_map(cast, value)


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Make float64 the default dtype, and let mixed operations promote to it.

    Matrix products and the like refuse a float32 data tensor beside a float64 parameter; inside
    this context their float32 arguments are cast first, also those a model has closed over.
    """
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Promote():
            yield
    finally:
        torch.set_default_dtype(default)


class _Promote(TorchFunctionMode):
    """Casts float32 arguments where a float64 argument stands beside them."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = dict(kwargs or {})
        dtypes = {leaf.dtype for leaf in _leaves(args, keywords) if torch.is_tensor(leaf)}
        if torch.float64 in dtypes and torch.float32 in dtypes and not _in_place(func):
            args, keywords = to_double((args, keywords))
        return func(*args, **keywords)


def _leaves(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
    for value in (*args, *kwargs.values()):
        if isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value


def _is_single(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == torch.float32


def _in_place(func: Callable[..., Any]) -> bool:
    name = getattr(func, "__name__", "")
    return (name.endswith("_") and not name.endswith("__")) or name in ("__setitem__", "__set__")
