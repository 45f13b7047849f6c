"""Turns index columns, of numbers or of labels, into places counted from 0."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from compiler.binding.draft import Draft, first_and_more
from compiler.binding.labels import Labels
from compiler.binding.parts import search
from compiler.diagnostics import Diagnostics, did_you_mean

Places = npt.NDArray[np.int64]


def places(
    drafted: Draft,
    sizes: Mapping[str, int],
    labels: Mapping[str, Labels],
    diagnostics: Diagnostics,
) -> Places | None:
    """Return the places that an index column points at.

    Labels are looked up among the dim's labels. So are numbers, where the dim is labelled by
    numbers and each of the column's is among them; else they count from the declared base.

    Args:
        drafted: The data of an `index` variable.
        sizes: The dims' sizes.
        labels: The dims' labels.
        diagnostics: Where to report an index out of range.

    Returns:
        Places from 0, of the variable's shape; None after a report.
    """
    dim = str(drafted.variable.index_of)
    known = labels.get(dim, ())
    if drafted.labels:
        return _look_up(drafted, dim, known, diagnostics)
    if any(isinstance(label, int) for label in known) and not np.isnan(drafted.values).any():
        place = {label: i for i, label in enumerate(known)}
        found = [place.get(int(value), -1) for value in drafted.values.flat]
        if min(found) >= 0:
            return np.array(found, dtype=np.int64).reshape(drafted.values.shape)
    if dim not in sizes:
        return None
    return _count(drafted, dim, sizes[dim], diagnostics)


def _look_up(drafted: Draft, dim: str, known: Labels, diagnostics: Diagnostics) -> Places | None:
    place = {label: i for i, label in enumerate(known)}
    place.update((str(label), i) for label, i in list(place.items()))
    found = np.array([place.get(entry, -1) for entry in drafted.values.flat], dtype=np.int64)
    found = found.reshape(drafted.values.shape)
    if (found < 0).any():
        at, more = first_and_more(found < 0)
        close = did_you_mean(str(drafted.values[at]), map(str, known))
        diagnostics.report(
            "PPL096",
            drafted.variable.location.span,
            f"{drafted.show(at)}{more}, which is not among the {len(known)} labels of {dim!r}",
            f"did you mean {close!r}?" if close else f"add it to the labels of {dim!r}",
        )
        return None
    return found


def _count(drafted: Draft, dim: str, size: int, diagnostics: Diagnostics) -> Places | None:
    if not in_range(drafted, dim, size, diagnostics):
        return None
    gaps = np.isnan(drafted.values)
    return np.where(gaps, -1, drafted.values - drafted.variable.base).astype(np.int64)


def in_range(drafted: Draft, dim: str, size: int, diagnostics: Diagnostics) -> bool:
    """Tell whether an index of numbers points at entries that there are; it is reported if not."""
    base = drafted.variable.base
    (out,) = search(drafted.parts(), [lambda values: (values < base) | (values >= base + size)])
    if out is None:
        return True
    least, most = np.nanmin(drafted.values), np.nanmax(drafted.values)
    if base == 0 and least == 1 and most == size:
        remedy = f"the data count from 1: write index({dim}, base = 1)"
    elif base == 1 and least == 0 and most <= size - 1:
        remedy = f"the data count from 0: write index({dim})"
    else:
        remedy = f"correct the index, or the size of {dim!r}"
    diagnostics.report(
        "PPL096",
        drafted.variable.location.span,
        f"{drafted.show(out.place)}{out.more}; {dim!r} has {size} entries, counted from {base} to "
        f"{base + size - 1}",
        remedy,
    )
    return False
