"""Arrays of an archive, which are unpacked only where they are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compiler.binding.arrays import Array


@dataclass(frozen=True, eq=False)
class Packed:
    """An array that has not been unpacked; numpy unpacks it where it asks for an array.

    Attributes:
        shape: What its header says.
        unpack: Unpacks it. Raises a `SourceError` where it is damaged or has no room in memory.
    """

    shape: tuple[int, ...]
    unpack: Callable[[], Array]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Unpack it, as numpy asks for it."""
        array = self.unpack()
        return array if dtype is None else array.astype(dtype)
