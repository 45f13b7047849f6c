"""Reads the entries of an array as numbers: which are, which are gaps, and which are wrong."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from compiler.binding.arrays import Array

GAPS = frozenset(
    ("", "NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "NAN", "null", "NULL", "NaT", "None")
)
"""Texts that stand for a value that is not there."""

_TRUTH = {"true": 1.0, "TRUE": 1.0, "True": 1.0, "false": 0.0, "FALSE": 0.0, "False": 0.0}
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
EXACT = 2.0**53 - 1
"""Whole numbers up to this are told apart as floating-point numbers."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True, eq=False)
class Numbers:
    """An array read as numbers.

    Attributes:
        values: The numbers; NaN where there is none.
        gaps: Where a value is missing.
        wrong: Where something stands that is not a number.
    """

    values: npt.NDArray[np.float64]
    gaps: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]


def read_numbers(array: Array, textual: bool) -> Numbers:
    """Read the entries of an array as numbers; booleans count as 0 and 1.

    Args:
        array: Any array.
        textual: Whether text may stand for a number, as in a CSV file.

    Returns:
        The numbers, of the array's shape.
    """
    if array.dtype.kind in "biuf":
        values = array.astype(np.float64, copy=False)
        return Numbers(values, np.isnan(values), np.zeros(values.shape, dtype=bool))
    if array.dtype.kind != "O":
        return Numbers(
            np.full(array.shape, np.nan),
            np.zeros(array.shape, dtype=bool),
            np.ones(array.shape, dtype=bool),
        )
    read = _read_texts if textual else _read_objects
    values, gaps = read(array.reshape(-1))
    wrong = np.isnan(values) & ~gaps
    shape = array.shape
    return Numbers(values.reshape(shape), gaps.reshape(shape), wrong.reshape(shape))


def _read_texts(flat: Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    texts = [entry.strip() if isinstance(entry, str) else entry for entry in flat]
    values = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
    numbers: npt.NDArray[np.float64] = values.to_numpy(dtype=np.float64, copy=True)
    gaps = np.zeros(numbers.shape, dtype=bool)
    for i in np.flatnonzero(np.isnan(numbers)):
        gaps[i] = is_gap(texts[i])
        numbers[i] = _TRUTH.get(texts[i], np.nan)
    return numbers, gaps


def _read_objects(flat: Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    values = np.full(flat.shape, np.nan)
    gaps = np.zeros(flat.shape, dtype=bool)
    for i, entry in enumerate(flat):
        if is_gap(entry):
            gaps[i] = True
        elif isinstance(entry, Real | np.bool_) or type(entry).__name__ == "Decimal":
            values[i] = _as_float(entry)
    return values, gaps


def _as_float(entry: Any) -> float:
    try:
        return float(entry)
    except OverflowError:
        return np.inf if entry > 0 else -np.inf
    except (TypeError, ValueError):  # a signalling NaN, a number type that has no value
        return np.nan


def brief(entry: Any) -> str:
    """Return an entry as text that is short enough for a message."""
    if isinstance(entry, int) and abs(entry) >= 10**40:
        return f"a whole number of about {entry.bit_length() * 0.30103:,.0f} digits"
    return repr(str(entry)[:60])


def is_gap(entry: Any) -> bool:
    """Whether an entry stands for a missing value."""
    if isinstance(entry, str):
        return entry.strip() in GAPS
    if isinstance(entry, float | np.floating):
        return bool(np.isnan(entry))
    return entry is None or entry is pd.NA or entry is pd.NaT


def is_text(array: Array) -> bool:
    """Whether some entry is text."""
    return array.dtype.kind == "O" and any(isinstance(entry, str) for entry in array.flat)


def advise(entry: Any) -> tuple[str, str]:
    """Say what an entry that should be a number is, and what to do about it."""
    if isinstance(entry, str):
        text = entry.strip()
        if _DECIMAL_COMMA.fullmatch(text):
            return f"{text!r} has a decimal comma", f"write {text.replace(',', '.')}"
        if _DATE.fullmatch(text):
            return f"{text!r} is a date", "give the days since a date of your choice as numbers"
        try:
            float(text)
        except ValueError:
            return f"{text!r} is not a number", "give numbers, or map another column to it"
        return f"{text!r} is text, not a number", "give it without quotes"
    if isinstance(entry, datetime.date | datetime.timedelta | np.datetime64 | np.timedelta64):
        return f"{entry} is a date", "give the days since a date of your choice as numbers"
    if isinstance(entry, complex | np.complexfloating):
        return f"{entry} is a complex number", "give its real and imaginary parts"
    if isinstance(entry, dict):
        return "an object stands where a number is expected", "give a number, or a list of them"
    return f"{brief(entry)} is not a number", "give numbers"
