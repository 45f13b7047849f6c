"""The greatest and least elements along a dimension, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoguide_core.engine.native.builder import Builder
from autoguide_core.engine.native.program import Ref

_Handler = Callable[[Builder, Sequence[Any], Mapping[str, Any], Any], Any]


def _with_place(sign: str) -> _Handler:
    """Both the elements and their places."""

    def handler(
        builder: Builder, args: Sequence[Any], kwargs: Mapping[str, Any], fact: Any
    ) -> list[Ref] | None:
        source, dim = args[:2]
        if source.storage is None or not source.shape or source.numel == 0:
            return None
        return list(builder.extreme(source, dim % len(source.shape), sign, fact[0].shape))

    return handler


def _place(sign: str) -> _Handler:
    """The places alone."""

    def handler(
        builder: Builder, args: Sequence[Any], kwargs: Mapping[str, Any], fact: Any
    ) -> Ref | None:
        source = args[0]
        dim = args[1] if len(args) > 1 else kwargs.get("dim")
        if dim is None or source.storage is None or not source.shape or source.numel == 0:
            return None
        return builder.extreme(source, dim % len(source.shape), sign, fact.shape)[1]

    return handler


EXTREMES: dict[str, _Handler] = {
    "max.dim": _with_place("max"),
    "min.dim": _with_place("min"),
    "argmax": _place("max"),
    "argmin": _place("min"),
}
"""By the operation's name; a handler returns None for what it leaves to torch."""
