"""Gives each variable's data its declared number of axes and reads it as numbers or labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.binding.arrays import Array, RaggedError, as_array
from compiler.binding.entries import (
    EXACT,
    Numbers,
    advise,
    brief,
    is_gap,
    is_text,
    read_numbers,
)
from compiler.binding.match import Match
from compiler.binding.packed import Packed
from compiler.binding.parts import Mask, rows, search
from compiler.binding.storable import why_unstorable
from compiler.binding.stored import READABLE
from compiler.diagnostics import Diagnostics
from compiler.ir import DataVariable


@dataclass(frozen=True, eq=False)
class Draft:
    """A variable's data on their way to a tensor.

    Attributes:
        match: Where they come from.
        values: float64, of the declared number of axes; object, where the entries are labels of
            the dim that an `index` points into; the file's own type, where they are mapped.
        mapped: Whether the values are numbers that lie in a file, in memory mapped from it.
    """

    match: Match
    values: Array
    mapped: bool = False

    @property
    def variable(self) -> DataVariable:
        """The declared variable."""
        return self.match.variable

    @property
    def labels(self) -> bool:
        """Whether the entries are labels rather than numbers."""
        return self.values.dtype.kind == "O"

    def parts(self) -> Iterator[tuple[int, Array]]:
        """Yield numbers as float64 in runs of rows, each with the number of its first row."""
        for start, part in rows(self.values):
            yield start, part.astype(np.float64) if self.mapped else part

    def show(self, place: tuple[int, ...]) -> str:
        """Say where an entry stands and, where it is a number, which."""
        value = self.values[place]
        shown = repr(value) if self.labels else f"{value:.10g}"
        return f"{self.match.where(place)} is {shown}"


_ANY: tuple[Callable[[Numbers], Mask], ...] = (
    lambda numbers: numbers.wrong,
    lambda numbers: numbers.gaps,
    lambda numbers: np.isinf(numbers.values),
)
"""What no data may have: something that is no number, a gap, an infinity."""

_WHOLE = (
    *_ANY,
    lambda numbers: np.isfinite(numbers.values) & (np.floor(numbers.values) != numbers.values),
    lambda numbers: np.isfinite(numbers.values) & (np.abs(numbers.values) > EXACT),
)
"""What whole numbers may not have besides: a fraction, a value that is one of several."""


def draft(match: Match, diagnostics: Diagnostics) -> Draft | None:
    """Read a variable's data; what is wrong is reported, and None returned.

    Args:
        match: Where the data come from.
        diagnostics: Where to report.

    Returns:
        The data, every entry a finite number (or a gap, where those are allowed) or a label.
    """
    array = _gather(match, diagnostics)
    if array is None:
        return None
    if match.variable.element == "index" and _holds_labels(match, array):
        return _read_labels(match, array, diagnostics)
    mapped = match.mapped and array.dtype.isnative and array.dtype.str[1:] in READABLE
    parts: Iterable[tuple[int, Numbers]]
    if array.dtype.kind in "biuf":
        values = array if mapped else array.astype(np.float64)
        parts = ((i, read_numbers(part, textual=False)) for i, part in rows(array))
    else:
        numbers = read_numbers(array, match.source.textual)
        values, parts = numbers.values, [(0, numbers)]
    if _report_entries(match, array, values, parts, diagnostics):
        return None
    return Draft(match, values, mapped)


def first_and_more(mask: npt.NDArray[np.bool_]) -> tuple[tuple[int, ...], str]:
    """Return the place of the first true entry, and words for how many there are besides."""
    places = np.argwhere(mask)
    more = len(places) - 1
    return tuple(int(i) for i in places[0]), f" (and {more:,} more)" if more else ""


def _gather(match: Match, diagnostics: Diagnostics) -> Array | None:
    variable = match.variable
    span = variable.location.span
    arrays = []
    raw = match.columns[0].raw
    packed = match.shape is None and isinstance(raw, Packed)
    if packed and not _fits(match, raw.shape, diagnostics):
        return None
    for column in match.columns:
        try:
            arrays.append(as_array(column.raw))
        except RaggedError as error:
            place = match.place(column, error.place)
            remedy = "make all rows equally long"
            diagnostics.report("PPL092", span, f"{place} {error.message}", remedy)
            return None
    array = arrays[0]
    if match.shape is not None:
        if any(part.ndim != 1 or len(part) != len(array) for part in arrays):
            diagnostics.report(
                "PPL092",
                span,
                f"the columns of {match.label} are not equally long columns of single values",
                "give one value a row in each",
            )
            return None
        array = np.stack(arrays, axis=-1).reshape(len(array), *match.shape)
    known = match.columns[0].dims
    if known and known != variable.dims and sorted(known) == sorted(map(str, variable.dims)):
        array = np.transpose(array, [known.index(str(dim)) for dim in variable.dims])
    if not variable.dims and array.size == 1:
        array = array.reshape(())
    return array if _fits(match, array.shape, diagnostics) else None


def _fits(match: Match, shape: tuple[int, ...], diagnostics: Diagnostics) -> bool:
    """Report data with another number of axes than is declared, or without entries."""
    dims, entries = match.variable.dims, math.prod(shape)
    if len(shape) != len(dims) and (dims or entries != 1):
        _report_axes(match, shape, diagnostics)
        return False
    if entries == 0:
        diagnostics.report(
            "PPL095",
            match.variable.location.span,
            f"{match.label} has no entries",
            "give data with at least one row",
        )
    return entries > 0


def _report_axes(match: Match, lengths: tuple[int, ...], diagnostics: Diagnostics) -> None:
    variable = match.variable
    declared = f"{variable.name}[{', '.join(map(str, variable.dims))}]"
    shape = " by ".join(map(str, lengths))
    if not lengths:
        kind = "an object" if isinstance(match.columns[0].raw, dict) else "a single value"
        found, remedy = kind, "write it as a list: [1.5, 2.5]"
    elif not variable.dims:
        found = f"{shape} values"
        declared = "a single number"
        remedy = f"declare {variable.name} with its dims, or give one value"
    else:
        found = f"{shape} values" if len(lengths) == 1 else f"an array of {shape} values"
        remedy = "give as many axes as are declared"
        if match.source.table and len(lengths) == 1:
            remedy = f"name the columns that make it up: --map {variable.name}=COLUMN,COLUMN,…"
    diagnostics.report(
        "PPL095",
        variable.location.span,
        f"{match.label} is {found} where {declared} is declared",
        remedy,
    )


def _holds_labels(match: Match, array: Array) -> bool:
    """Whether an index is one of labels, rather than of numbers."""
    if match.columns[0].categories is not None:
        return True
    if match.source.textual:
        return bool(read_numbers(array, textual=True).wrong.any())
    return is_text(array)


def _read_labels(match: Match, array: Array, diagnostics: Diagnostics) -> Draft | None:
    """Read an index of labels; gaps, and numbers among the labels, are reported."""
    gaps = np.array([is_gap(entry) for entry in array.flat], dtype=bool).reshape(array.shape)
    odd, kind = _odd_ones(match, array, gaps)
    if odd.any():
        place, more = first_and_more(odd)
        diagnostics.report(
            "PPL092",
            match.variable.location.span,
            f"{match.where(place)} is {brief(array[place])}{more} in a column of {kind}",
            "give either whole numbers or labels, not both",
        )
        return None
    if gaps.any():
        _report_gaps(match, *first_and_more(gaps), diagnostics)
        return None
    labels = np.empty(array.size, dtype=object)
    labels[:] = [_plain(entry) for entry in array.flat]
    for i, label in enumerate(labels):
        if isinstance(label, str) and (problem := why_unstorable(label)):
            place = tuple(int(k) for k in np.unravel_index(i, array.shape))
            diagnostics.report(
                "PPL092",
                match.variable.location.span,
                f"{match.where(place)} is {label[:60]!r}, which holds {problem}",
                "correct the label",
            )
            return None
    return Draft(match, labels.reshape(array.shape))


def _odd_ones(
    match: Match, array: Array, gaps: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], str]:
    """Return the entries that do not go with the others, and what the others are.

    A column of a CSV file that is mostly numbers is one of numbers with slips in it.
    """
    none = np.zeros(array.shape, dtype=bool)
    if match.columns[0].categories is not None:
        return none, "labels"
    if match.source.textual:
        wrong = read_numbers(array, textual=True).wrong
        mostly_numbers = 2 * wrong.sum() < (~gaps).sum()
        return (wrong, "numbers") if mostly_numbers else (none, "labels")
    texts = np.array([isinstance(entry, str) for entry in array.flat], dtype=bool)
    return ~texts.reshape(array.shape) & ~gaps, "labels"


def _plain(entry: Any) -> Any:
    if isinstance(entry, str):
        return entry.strip()
    return entry.item() if isinstance(entry, np.generic) else entry


def _report_entries(
    match: Match,
    array: Array,
    values: Array,
    parts: Iterable[tuple[int, Numbers]],
    diagnostics: Diagnostics,
) -> bool:
    """Report entries that are no numbers, gaps, infinities and fractions; tell whether any."""
    variable = match.variable
    span = variable.location.span
    before = len(diagnostics)
    whole = variable.element in ("int", "index")
    wrong, gaps, infinite, *odd = search(parts, _WHOLE if whole else _ANY)
    if wrong is not None:
        what, remedy = advise(array[wrong.place])
        diagnostics.report(
            "PPL092", span, f"{match.where(wrong.place)}: {what}{wrong.more}", remedy
        )
    if gaps is not None and not variable.missing:
        _report_gaps(match, gaps.place, gaps.more, diagnostics)
    if infinite is not None:
        entry = array[infinite.place]
        value = brief(entry) if isinstance(entry, int) else values[infinite.place]
        diagnostics.report(
            "PPL093",
            span,
            f"{match.where(infinite.place)} is {value}{infinite.more}; data must be finite",
            "correct or leave out the row",
        )
    fraction, inexact = odd or (None, None)
    if inexact is not None:
        diagnostics.report(
            "PPL093",
            span,
            f"{match.where(inexact.place)} is {values[inexact.place]:.17g}{inexact.more}; whole "
            f"numbers are exact up to {EXACT:.0f} only",
            f"declare {variable.name}: real, or count in a larger unit"
            if variable.element == "int"
            else "give labels as text",
        )
    if fraction is not None:
        value = values[fraction.place]
        diagnostics.report(
            "PPL092",
            span,
            f"{match.where(fraction.place)} is {value:.10g}{fraction.more}, not a whole number",
            f"declare {variable.name}: real, or correct the data"
            if variable.element == "int"
            else "give whole numbers, or labels as text",
        )
    return len(diagnostics) > before


def _report_gaps(match: Match, place: tuple[int, ...], more: str, diagnostics: Diagnostics) -> None:
    diagnostics.report(
        "PPL094",
        match.variable.location.span,
        f"{match.where(place)} is empty or NaN{more}",
        f"declare {match.variable.name} `missing`, or leave out the rows with gaps",
    )
