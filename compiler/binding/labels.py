"""Finds the labels of dims, and puts data into the order of the labels.

A dim's labels come from a column of the dim's own name (or one mapped to it) in a source whose
rows run over the dim, from the columns' names of a matrix that is mapped to several of them, or
from the labels that an `index` into the dim holds: sorted, or in the order of a categorical's
categories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from compiler.binding.arrays import Array, RaggedError, as_array
from compiler.binding.draft import Draft
from compiler.binding.entries import EXACT, is_gap, read_numbers
from compiler.binding.repeated import repeated
from compiler.binding.sources import Column, Source
from compiler.binding.storable import why_unstorable
from compiler.diagnostics import Diagnostics
from compiler.ir import Program

Labels = tuple[Any, ...]


@dataclass(frozen=True)
class LabelColumn:
    """The labels of a dim as one source gives them.

    Attributes:
        source: The source.
        labels: The labels in the order of its rows.
    """

    source: Source
    labels: Labels


def label_columns(
    program: Program,
    sources: Sequence[Source],
    drafts: Mapping[str, Draft],
    mapping: Mapping[str, str],
    diagnostics: Diagnostics,
) -> dict[str, list[LabelColumn]]:
    """Find the label columns of every dim.

    Args:
        program: The program.
        sources: The data as read.
        drafts: The variables' data.
        mapping: From column to the spec's name.
        diagnostics: Where to report.

    Returns:
        By dim, one for each source that has them.
    """
    used = {
        (id(draft.match.source), column.name)
        for draft in drafts.values()
        for column in draft.match.columns
    }
    found: dict[str, list[LabelColumn]] = {}
    for dim in program.dims:
        mapped = [column for column, name in mapping.items() if name == dim.name]
        found[dim.name] = []
        for source in sources:
            name = next((column for column in mapped if column in source.columns), dim.name)
            if name not in source.columns or (id(source), name) in used:
                continue
            if name not in mapped and not _runs_over(source, dim.name, drafts):
                continue
            labels = _read(source.columns[name], source.textual)
            if labels is not None and len(set(labels)) == len(labels):
                found[dim.name].append(LabelColumn(source, labels))
            elif mapped:
                diagnostics.report(
                    "PPL092",
                    dim.location.span,
                    f"{source.label}, column {name!r} cannot label {dim.name!r}: it has gaps or "
                    "repeated entries",
                    "give each entry of the dim a label of its own",
                )
    return found


def _runs_over(source: Source, dim: str, drafts: Mapping[str, Draft]) -> bool:
    """Whether the rows of a table are the entries of a dim; other sources may label any dim."""
    first = {
        draft.variable.dims[0]
        for draft in drafts.values()
        if draft.match.source is source and draft.variable.dims
    }
    return not source.table or not first or dim in first


def _read(column: Column, textual: bool) -> Labels | None:
    try:
        array = as_array(column.raw)
    except RaggedError:
        return None
    if array.ndim != 1 or any(is_gap(entry) for entry in array):
        return None
    if array.dtype.kind == "M":
        return tuple(pd.DatetimeIndex(array).astype(str))
    numbers = read_numbers(array, textual)
    whole = np.isfinite(numbers.values) & (np.floor(numbers.values) == numbers.values)
    whole &= np.abs(numbers.values) <= EXACT
    if whole.all():
        return tuple(int(value) for value in numbers.values)
    return tuple(str(entry).strip() for entry in array)


def dim_labels(
    program: Program,
    columns: Mapping[str, list[LabelColumn]],
    drafts: Mapping[str, Draft],
) -> tuple[dict[str, Labels], frozenset[str]]:
    """Decide the labels of every dim that has any.

    Args:
        program: The program.
        columns: The label columns.
        drafts: The variables' data.

    Returns:
        The labels by dim, and the dims whose labels are known from indices into them alone, so
        that their order is a sorted one and not that of any data.
    """
    labels = {dim: given[0].labels for dim, given in columns.items() if given}
    for drafted in drafts.values():
        if drafted.match.named:
            named = tuple(column.name for column in drafted.match.columns)
            labels.setdefault(str(drafted.variable.dims[-1]), named)
    from_index = set()
    for dim in program.dims:
        indices = [
            drafted
            for drafted in drafts.values()
            if drafted.labels and drafted.variable.index_of == dim.name
        ]
        if indices and dim.name not in labels:
            labels[dim.name] = _in_order(indices)
            from_index.add(dim.name)
    return labels, frozenset(from_index)


def _in_order(indices: Sequence[Draft]) -> Labels:
    categories = {drafted.match.columns[0].categories for drafted in indices}
    if len(categories) == 1 and (only := categories.pop()) is not None:
        return only
    return tuple(sorted({entry for drafted in indices for entry in drafted.values.flat}, key=str))


def check_labels(
    program: Program,
    labels: Mapping[str, Labels],
    columns: Mapping[str, list[LabelColumn]],
    diagnostics: Diagnostics,
) -> None:
    """Report labels that no file of results can hold.

    Args:
        program: The program.
        labels: The dims' labels.
        columns: The label columns, to say where a label comes from.
        diagnostics: Where to report.
    """
    for dim, known in labels.items():
        if twice := repeated(map(str, plain_labels(known))):
            diagnostics.report(
                "PPL092",
                program.dim(dim).location.span if dim in columns else None,
                f"several labels of {dim!r} read {twice[0]!r}",
                "give each a text of its own",
            )
        for place, label in enumerate(known):
            if isinstance(label, str) and (problem := why_unstorable(label)):
                source = columns[dim][0].source.label if columns.get(dim) else "the data"
                diagnostics.report(
                    "PPL092",
                    program.dim(dim).location.span if dim in columns else None,
                    f"{source}, row {place + 1}: the label {label[:60]!r} of {dim!r} holds "
                    f"{problem}",
                    "correct the label",
                )
                break


def plain_labels(labels: Labels) -> Labels:
    """Return labels as files of results can hold them: all whole numbers, or all text.

    Categories may be anything: intervals, periods, dates, or several types at once.
    """
    if all(isinstance(label, str) for label in labels):
        return labels
    whole = all(type(label) is int or isinstance(label, np.integer) for label in labels)
    if whole and all(abs(int(label)) < 2**63 for label in labels):
        return tuple(map(int, labels))
    return tuple(map(str, pd.Index(labels, tupleize_cols=False).astype(str)))


def align(
    drafted: Draft,
    labels: Mapping[str, Labels],
    from_index: frozenset[str],
    columns: Mapping[str, list[LabelColumn]],
    diagnostics: Diagnostics,
) -> Draft:
    """Return a variable's data with every labelled axis in the order of the dim's labels.

    Data without labels of their own are taken to be in that order, but not where it is the sorted
    order of the labels in some other column: that they agree would be an accident. This and
    labels that are not those of the dim are reported.
    """
    values = drafted.values
    for axis, dim in enumerate(drafted.variable.dims):
        if dim not in labels:
            continue
        own = _own_labels(drafted, axis, columns)
        wanted = labels[str(dim)]
        if own is None:
            if dim in from_index:
                _report_unlabelled(drafted, str(dim), wanted, diagnostics)
        elif set(own) != set(wanted):
            _report_other_labels(drafted, str(dim), own, wanted, diagnostics)
        elif own != wanted:
            place = {label: i for i, label in enumerate(own)}
            values = _take(values, [place[label] for label in wanted], axis)
    return replace(drafted, values=values, mapped=drafted.mapped and values is drafted.values)


def _take(values: Array, places: list[int], axis: int) -> Array:
    return values if values.shape[axis] != len(places) else np.take(values, places, axis=axis)


def _own_labels(
    drafted: Draft, axis: int, columns: Mapping[str, list[LabelColumn]]
) -> Labels | None:
    if drafted.match.named and axis == 1:
        return tuple(column.name for column in drafted.match.columns)
    dim = str(drafted.variable.dims[axis])
    given = (c.labels for c in columns.get(dim, ()) if c.source is drafted.match.source)
    return next(given, None)


def _report_unlabelled(drafted: Draft, dim: str, wanted: Labels, diagnostics: Diagnostics) -> None:
    diagnostics.report(
        "PPL095",
        drafted.variable.location.span,
        f"{drafted.match.label} does not say which entry belongs to which {dim}, and the entries "
        f"of {dim!r} are known by labels ({_sample(wanted)})",
        f"put the labels beside it as a column {dim!r}",
    )


def _report_other_labels(
    drafted: Draft, dim: str, own: Labels, wanted: Labels, diagnostics: Diagnostics
) -> None:
    odd = [label for label in own if label not in set(wanted)]
    gone = [label for label in wanted if label not in set(own)]
    parts = [f"has {_sample(odd)}, which is not elsewhere"] if odd else []
    parts += [f"lacks {_sample(gone)}"] if gone else []
    diagnostics.report(
        "PPL095",
        drafted.variable.location.span,
        f"the labels of {dim!r} beside {drafted.match.label} differ from those elsewhere: it "
        + " and ".join(parts),
        "give the same labels everywhere",
    )


def _sample(labels: Sequence[Any]) -> str:
    shown = ", ".join(repr(label) for label in labels[:3])
    return shown + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")
