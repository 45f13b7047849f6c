"""Looking through the entries of an array part by part, so that a large one need not be copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from compiler.binding.arrays import Array

_NUMBERS = 1_000_000
"""Numbers that are looked at at once."""

Mask = npt.NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """Entries that are not as they should be.

    Attributes:
        place: Where the first stands, counted from 0.
        count: How many there are.
    """

    place: tuple[int, ...]
    count: int

    @property
    def more(self) -> str:
        """Words for how many there are besides the first."""
        return f" (and {self.count - 1:,} more)" if self.count > 1 else ""


def rows(array: Array) -> Iterator[tuple[int, Array]]:
    """Yield the array in runs of rows, each with the number of its first row."""
    if array.ndim == 0 or array.size <= _NUMBERS:
        yield 0, array
        return
    step = max(1, _NUMBERS * len(array) // array.size)
    for start in range(0, len(array), step):
        yield start, array[start : start + step]


def search(
    parts: Iterable[tuple[int, T]], tests: Sequence[Callable[[T], Mask]]
) -> list[Found | None]:
    """Look for entries that fail a test, in one pass.

    Args:
        parts: Runs of rows, each with the number of its first row.
        tests: Each tells which entries of a part fail it.

    Returns:
        What was found, for each test.
    """
    found: list[Found | None] = [None] * len(tests)
    for start, part in parts:
        for i, test in enumerate(tests):
            failing = test(part)
            count = int(np.count_nonzero(failing))
            before = found[i]
            if count and before is None:
                first = np.unravel_index(int(np.argmax(failing)), failing.shape)
                row, *rest = (int(k) for k in first) if failing.ndim else (0,)
                found[i] = Found((start + row, *rest) if failing.ndim else (), count)
            elif before is not None:
                found[i] = Found(before.place, before.count + count)
    return found
