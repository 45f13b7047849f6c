"""Turns what a source holds into arrays, without yet asking what the entries mean."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


MOST_AXES = 32
"""Lists that may be nested in one another; no declared variable has that many axes."""

_LISTS = {list, tuple, range, np.ndarray}


class RaggedError(ValueError):
    """Nested lists that are not a rectangle.

    Attributes:
        place: Where the odd one stands, counted from 0.
        message: What is wrong with it.
    """

    def __init__(self, place: tuple[int, ...], message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


def as_array(raw: Any) -> Array:
    """Return a source's value as an array.

    Args:
        raw: A number, a string, None, nested lists of such, or an array; an array of lists (a
            list column of a table) counts as nested lists.

    Returns:
        An array of numbers, of booleans, of dates, or of Python objects.

    Raises:
        RaggedError: The lists do not form a rectangle, or nest too deeply.
    """
    if isinstance(raw, np.ndarray):
        if raw.dtype.kind != "O" or not set(map(type, raw.flat)) & _LISTS:
            return raw.astype(object) if raw.dtype.kind in "SU" else raw
        raw = list(raw)
    if hasattr(raw, "__array__") and not isinstance(raw, np.generic):
        return as_array(np.asarray(raw))
    shape = _shape(raw)
    flat: list[Any] = []
    _flatten(raw, shape, (), flat)
    kinds = set(map(type, flat))
    if kinds <= {int, float}:
        with suppress(OverflowError):  # such a number is reported where it is
            return np.array(flat, dtype=np.int64 if kinds == {int} else float).reshape(shape)
    array = np.empty(len(flat), dtype=object)
    array[:] = flat
    return array.reshape(shape)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | range) or (
        isinstance(value, np.ndarray) and value.ndim > 0
    )


def _shape(raw: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while _is_list(raw):
        shape.append(len(raw))
        if len(shape) > MOST_AXES:
            message = f"is nested more than {MOST_AXES} lists deep"
            raise RaggedError((0,) * MOST_AXES, message)
        if not len(raw):
            break
        raw = raw[0]
    return tuple(shape)


def _flatten(raw: Any, shape: Sequence[int], place: tuple[int, ...], flat: list[Any]) -> None:
    if not shape:
        if _is_list(raw):
            raise RaggedError(place, "is a list where a single value is expected")
        flat.append(raw)
        return
    if not _is_list(raw):
        raise RaggedError(place, f"is a single value where a list of {shape[0]} is expected")
    if len(raw) != shape[0]:
        raise RaggedError(place, f"has {len(raw)} entries where the first has {shape[0]}")
    if len(shape) == 1 and not any(map(_is_list, raw)):
        flat.extend(raw)
        return
    for i, entry in enumerate(raw):
        _flatten(entry, shape[1:], (*place, i), flat)
