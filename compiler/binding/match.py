"""Finds the columns that each declared variable comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from compiler.binding.sources import Column, Source
from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir import DataVariable, Program

_NUMBERED = re.compile(r"[_.\[]\d+(?:[_.,]\d+)*\]?")


@dataclass(frozen=True, eq=False)
class Match:
    """Where a variable comes from.

    Attributes:
        variable: The declared variable.
        source: Where its columns stand.
        columns: One column, or those that are set side by side along the axes after the first.
        shape: Lengths of those axes; None for a single column.
        named: Whether the columns' names say what they are, rather than count.
    """

    variable: DataVariable
    source: Source
    columns: tuple[Column, ...]
    shape: tuple[int, ...] | None = None
    named: bool = False

    @property
    def mapped(self) -> bool:
        """Whether the values lie in a file, in memory that is mapped from it."""
        return self.shape is None and self.columns[0].mapped

    def where(self, index: Sequence[int]) -> str:
        """Say in words where an entry stands, from its place counted from 0."""
        if self.shape is None:
            return self.place(self.columns[0], index)
        flat = 0
        for length, i in zip(self.shape, index[1:], strict=True):
            flat = flat * length + i
        return self.place(self.columns[flat], index[:1])

    def place(self, column: Column, index: Sequence[int]) -> str:
        """Say in words where an entry of one column stands, from its place counted from 0."""
        kind = "column" if self.source.table else "entry"
        place = f"{self.source.label}, {kind} {column.name!r}"
        if not index:
            return place
        if len(index) > 2:
            return f"{place} at ({', '.join(str(i + 1) for i in index)}), counted from 1"
        place += f", row {index[0] + 1}"
        if len(index) == 2:
            place += f", column {index[1] + 1}"
        line = self.source.line_of(index[0]) if self.source.line_of else None
        return f"{place} (line {line})" if line else place

    @property
    def label(self) -> str:
        """The variable with its source, as size messages name it."""
        return f"{self.variable.name!r} in {self.source.label}"


def match(
    program: Program,
    sources: Sequence[Source],
    mapping: Mapping[str, str],
    diagnostics: Diagnostics,
) -> dict[str, Match]:
    """Find the columns of every declared variable; what is not found is reported.

    A variable is found by the mapping, by a column of its own name, or (a matrix) by numbered
    columns such as `X_1`, `X.2` or `X[3]`. Where several sources have the column, those whose
    other variables run over another dim are passed over.

    Args:
        program: The program.
        sources: The data as read.
        mapping: From column to the spec's name.
        diagnostics: Where to report.

    Returns:
        The matches by the variable's name.
    """
    _check_mapping(program, sources, mapping, diagnostics)
    found = {v.name: _candidates(v, sources, mapping) for v in program.data}
    rows = {
        id(only.source): only.variable.dims[0]
        for only, *others in filter(None, found.values())
        if not others and only.variable.dims
    }
    matches = {}
    for variable in program.data:
        candidates = found[variable.name]
        if len(candidates) > 1 and variable.dims:
            first = variable.dims[0]
            alike = [c for c in candidates if rows.get(id(c.source)) == first]
            open_ = [c for c in candidates if rows.get(id(c.source), first) == first]
            candidates = alike or open_ or candidates
        if not candidates:
            _report_missing(variable, sources, mapping, diagnostics)
        elif len(candidates) > 1:
            files = " and ".join(candidate.source.label for candidate in candidates)
            diagnostics.report(
                "PPL091",
                variable.location.span,
                f"{variable.name!r} stands in {files}",
                "give it in one place only, or rename one of the columns",
            )
        else:
            matches[variable.name] = candidates[0]
    return matches


def _candidates(
    variable: DataVariable, sources: Sequence[Source], mapping: Mapping[str, str]
) -> list[Match]:
    wanted = [column for column, name in mapping.items() if name == variable.name]
    if wanted:
        return [
            _mapped(variable, source, wanted)
            for source in sources
            if all(column in source.columns for column in wanted)
        ]
    candidates = []
    for source in sources:
        if variable.name in source.columns and variable.name not in mapping:
            candidates.append(Match(variable, source, (source.columns[variable.name],)))
        elif len(variable.dims) > 1 and (numbered := _numbered(variable, source)):
            candidates.append(numbered)
    return candidates


def _mapped(variable: DataVariable, source: Source, wanted: Sequence[str]) -> Match:
    columns = tuple(source.columns[column] for column in wanted)
    if len(columns) == 1 and (len(variable.dims) < 2 or not source.table):
        return Match(variable, source, columns)
    return Match(variable, source, columns, shape=(len(columns),), named=True)


def _numbered(variable: DataVariable, source: Source) -> Match | None:
    """Match `X_1 … X_k` (or `X.1.2`, `X[1,2]`), counted from 0 or from 1 without a gap."""
    places: dict[tuple[int, ...], Column] = {}
    for name, column in source.columns.items():
        rest = name.removeprefix(variable.name)
        if name.startswith(variable.name) and _NUMBERED.fullmatch(rest):
            places[tuple(map(int, re.findall(r"\d+", rest)))] = column
    if not places or {len(place) for place in places} != {len(variable.dims) - 1}:
        return None
    base = min(map(min, places))
    shape = tuple(max(axis) - base + 1 for axis in zip(*places, strict=True))
    count = 1
    for length in shape:
        count *= length
    if base > 1 or count != len(places):
        return None
    return Match(variable, source, tuple(places[place] for place in sorted(places)), shape=shape)


def _check_mapping(
    program: Program,
    sources: Sequence[Source],
    mapping: Mapping[str, str],
    diagnostics: Diagnostics,
) -> None:
    variables = [variable.name for variable in program.data]
    dims = [dim.name for dim in program.dims]
    columns = {column for source in sources for column in source.columns}
    for column, name in mapping.items():
        if name not in variables and name not in dims:
            diagnostics.report(
                "PPL091",
                None,
                f"the mapping speaks of {name!r}, which the data block does not declare",
                _close(name, variables, dims) or f"it declares {_listing(variables)}",
            )
        if column not in columns:
            diagnostics.report(
                "PPL091",
                None,
                f"the mapping takes {name!r} from the column {column!r}, which the data "
                "does not have",
                _close(column, columns) or f"it has {_listing(columns)}",
            )


def _report_missing(
    variable: DataVariable,
    sources: Sequence[Source],
    mapping: Mapping[str, str],
    diagnostics: Diagnostics,
) -> None:
    if any(name == variable.name and column for column, name in mapping.items()):
        wanted = [column for column, name in mapping.items() if name == variable.name]
        everywhere = {column for source in sources for column in source.columns}
        if everywhere.issuperset(wanted):
            diagnostics.report(
                "PPL091",
                variable.location.span,
                f"the columns of {variable.name!r} stand in different files",
                "put them into one",
            )
        return
    if not sources:
        remedy = f"give a data file with an entry {variable.name!r}"
        message = f"no data is given for {variable.name!r}"
    else:
        columns = [column for source in sources for column in source.columns]
        close = did_you_mean(variable.name, columns)
        remedy = f"it has {_listing(columns)}"
        if close:
            remedy = f"did you mean the column {close!r}? Say so with --map {variable.name}={close}"
        elif columns:
            remedy += f"; name the one with --map {variable.name}=COLUMN"
        files = " and ".join(source.label for source in sources)
        message = f"{variable.name!r} is not in {files}"
    diagnostics.report("PPL091", variable.location.span, message, remedy)


def _close(name: str, *groups: Iterable[str]) -> str | None:
    close = did_you_mean(name, *groups)
    return f"did you mean {close!r}?" if close else None


def _listing(names: Iterable[str], most: int = 12) -> str:
    listed = [repr(name) for name in dict.fromkeys(names)]
    if not listed:
        return "nothing"
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
