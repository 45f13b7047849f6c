"""Infers the size of every dim from all that tells it, and reports what disagrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from compiler.binding.draft import Draft
from compiler.binding.labels import LabelColumn, Labels
from compiler.binding.match import Match
from compiler.binding.packed import Packed
from compiler.binding.sources import Source
from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir import Program


@dataclass(frozen=True)
class Witness:
    """Something that tells the size of a dim."""

    size: int
    said_by: str


def infer_sizes(
    program: Program,
    sources: Sequence[Source],
    drafts: Mapping[str, Draft],
    labels: Mapping[str, Labels],
    columns: Mapping[str, list[LabelColumn]],
    given: Mapping[str, int],
    incomplete: frozenset[str],
    diagnostics: Diagnostics,
) -> dict[str, int]:
    """Infer the size of every dim.

    Args:
        program: The program.
        sources: The data as read: a number of a dim's name is its size.
        drafts: The variables' data.
        labels: The dims' labels.
        columns: The label columns that were found.
        given: Sizes that the user sets.
        incomplete: Dims that a variable with reported faults has; nothing is said of their size
            being unknown.
        diagnostics: Where to report.

    Returns:
        The sizes; dims with faults have the first size told, or none.
    """
    _check_given(program, given, diagnostics)
    witnesses = _witnesses(program, sources, drafts, labels, columns, given)
    sizes: dict[str, int] = {}
    for dim in program.dims:
        told = witnesses[dim.name]
        if len({witness.size for witness in told}) > 1:
            _report_disagreement(dim.name, told, program, diagnostics)
        if told:
            sizes[dim.name] = told[0].size
        elif (largest := _from_indices(dim.name, drafts, diagnostics)) is not None:
            sizes[dim.name] = largest
        elif dim.name not in incomplete:
            diagnostics.report(
                "PPL029",
                dim.location.span,
                f"nothing in the data tells the size of dim {dim.name!r}",
                f"write {dim.name!r}: N among the data, or dim {dim.name} = N in the spec; or set "
                f"it with --set {dim.name}=N",
            )
    _check_fixed_axes(drafts, diagnostics)
    return sizes


def agreeing(
    program: Program,
    matches: Mapping[str, Match],
    given: Mapping[str, int],
    diagnostics: Diagnostics,
) -> dict[str, Match]:
    """Leave out archived arrays whose sizes, as their headers say, are not those of other data.

    So a size that is wrong is reported before anything of that size is unpacked.

    Args:
        program: The program.
        matches: Where the variables' data come from, by name.
        given: Sizes that the user sets.
        diagnostics: Where to report.

    Returns:
        The other matches.
    """
    shapes = {name: _known_shape(found) for name, found in matches.items()}
    packed = {name for name, found in matches.items() if isinstance(found.columns[0].raw, Packed)}
    left_out: set[str] = set()
    for dim in program.dims:
        over = {
            name: shape[matches[name].variable.dims.index(dim.name)]
            for name, shape in shapes.items()
            if shape and dim.name in matches[name].variable.dims
        }
        told = [Witness(dim.size, "in the spec")] if dim.size is not None else []
        told += [Witness(given[dim.name], "as set")] if dim.name in given else []
        told += [Witness(size, f"in {matches[name].label}") for name, size in over.items()]
        if len({witness.size for witness in told}) > 1 and not packed.isdisjoint(over):
            _report_disagreement(dim.name, told, program, diagnostics)
            left_out |= over.keys()
    return {name: found for name, found in matches.items() if name not in left_out}


def _known_shape(found: Match) -> tuple[int, ...] | None:
    """Return a shape that is known before the data are read and is as declared, else None."""
    raw = found.columns[0].raw
    lengths = [len(raw)] if isinstance(raw, list) else getattr(raw, "shape", ())
    plain = found.shape is None and found.columns[0].dims is None
    return tuple(lengths) if plain and len(lengths) == len(found.variable.dims) else None


def _witnesses(
    program: Program,
    sources: Sequence[Source],
    drafts: Mapping[str, Draft],
    labels: Mapping[str, Labels],
    columns: Mapping[str, list[LabelColumn]],
    given: Mapping[str, int],
) -> dict[str, list[Witness]]:
    told: dict[str, list[Witness]] = {dim.name: [] for dim in program.dims}
    for dim in program.dims:
        if dim.size is not None:
            told[dim.name].append(Witness(dim.size, "in the spec"))
        if dim.gaps_of is not None and dim.gaps_of in drafts:
            told[dim.name].append(_gaps(drafts[dim.gaps_of]))
        if dim.name in given:
            told[dim.name].append(Witness(given[dim.name], "as set"))
    for drafted in drafts.values():
        for size, axis in zip(drafted.values.shape, drafted.variable.dims, strict=True):
            if axis in told:
                told[str(axis)].append(Witness(size, f"in {drafted.match.label}"))
    for name in told:
        for column in columns.get(name, ()):
            witness = Witness(len(column.labels), f"by its labels in {column.source.label}")
            told[name].append(witness)
        if name in labels and not columns.get(name):
            told[name].append(Witness(len(labels[name]), "by the labels in the data"))
        for source in sources:
            size = _number(source, name)
            if size is not None:
                told[name].append(Witness(size, f"by the number {name!r} in {source.label}"))
    return told


def _number(source: Source, dim: str) -> int | None:
    """Return the number of a dim's name, where a source that is no table has one."""
    if source.table or dim not in source.columns:
        return None
    raw = source.columns[dim].raw
    number = np.asarray(raw).item() if getattr(raw, "shape", None) == () else raw
    if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
        return None
    return int(number)


def _gaps(drafted: Draft) -> Witness:
    count = sum(int(np.isnan(part).sum()) for _, part in drafted.parts())
    return Witness(count, f"by the gaps in {drafted.match.label}")


def _check_given(program: Program, given: Mapping[str, int], diagnostics: Diagnostics) -> None:
    dims = [dim.name for dim in program.dims]
    for name, size in given.items():
        if name not in dims:
            close = did_you_mean(name, dims)
            diagnostics.report(
                "PPL095",
                None,
                f"a size is set for {name!r}, which is not a dim of the spec",
                f"did you mean {close!r}?" if close else f"its dims are {', '.join(dims)}",
            )
        elif size < 1:
            diagnostics.report(
                "PPL095", None, f"the size set for {name!r} is {size}", "give at least 1"
            )


def _report_disagreement(
    dim: str, told: list[Witness], program: Program, diagnostics: Diagnostics
) -> None:
    by_size: dict[int, list[str]] = {}
    for witness in told:
        by_size.setdefault(witness.size, []).append(witness.said_by)
    parts = [
        f"{size} {', '.join(who[:3])}" + (f" and {len(who) - 3} more" if len(who) > 3 else "")
        for size, who in by_size.items()
    ]
    diagnostics.report(
        "PPL095",
        program.dim(dim).location.span,
        f"dim {dim!r} has several sizes: " + "; ".join(parts),
        "make them agree, or declare a dim of its own for the odd one",
    )


def _from_indices(dim: str, drafts: Mapping[str, Draft], diagnostics: Diagnostics) -> int | None:
    """Take the size from the largest index, where the smallest does not speak against it."""
    indices = [d for d in drafts.values() if d.variable.index_of == dim and not d.labels]
    if not indices:
        return None
    size = max(int(np.nanmax(d.values)) - d.variable.base + 1 for d in indices)
    least = min(indices, key=lambda d: np.nanmin(d.values) - d.variable.base)
    if least.variable.base == 0 and np.nanmin(least.values) == 1:
        diagnostics.report(
            "PPL096",
            least.variable.location.span,
            f"{least.match.label} counts from 1 to {int(np.nanmax(least.values))}, and is declared "
            "to count from 0",
            f"write index({dim}, base = 1); if entry 0 has no data, --set {dim}={size}",
        )
    return max(size, 1)


def _check_fixed_axes(drafts: Mapping[str, Draft], diagnostics: Diagnostics) -> None:
    for drafted in drafts.values():
        for size, axis in zip(drafted.values.shape, drafted.variable.dims, strict=True):
            if isinstance(axis, int) and axis != size:
                diagnostics.report(
                    "PPL095",
                    drafted.variable.location.span,
                    f"{drafted.match.label} has {size} entries where {axis} are declared",
                    "make them agree",
                )
