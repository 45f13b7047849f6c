"""The way from sources of data to bound data, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from compiler.binding.bound import BoundData
from compiler.binding.draft import Draft, draft
from compiler.binding.gaps import check_gaps, gap_coords, gapless
from compiler.binding.hashes import data_hashes
from compiler.binding.index import in_range, places
from compiler.binding.labels import (
    Labels,
    align,
    check_labels,
    dim_labels,
    label_columns,
    plain_labels,
)
from compiler.binding.match import Match, match
from compiler.binding.parts import search
from compiler.binding.ranges import check_values
from compiler.binding.read import read_sources
from compiler.binding.room import has_room
from compiler.binding.sizes import agreeing, infer_sizes
from compiler.binding.sources import Source, SourceError
from compiler.binding.stored import Stored
from compiler.binding.streaming import streamed_dims
from compiler.diagnostics import Diagnostics, SpecError
from compiler.ir import Program

_REGISTER, _LARGE = 64, 2**25
"""Bytes of the widest vector register, and from which on memory comes in pages of its own."""


def bind(
    program: Program,
    sources: Any,
    *,
    mapping: Mapping[str, str] | None = None,
    sizes: Mapping[str, int] | None = None,
    dtype: torch.dtype = torch.float64,
    device: str | torch.device = "cpu",
    diagnostics: Diagnostics,
) -> BoundData:
    """Bind data to a program, and check all that its data block declares.

    Args:
        program: The program.
        sources: Files or objects in memory: one, or a list of several; None for none.
        mapping: From a column or key of the data to the variable (or the dim, whose labels it
            holds) that it stands for; several columns of one variable are its columns in order.
        sizes: Sizes of dims that the user sets.
        dtype: Floating type of the tensors.
        device: Where the tensors go.
        diagnostics: Where faults are reported, all that there are.

    Returns:
        The bound data.

    Raises:
        SpecError: If any fault was reported.
    """
    try:
        return _bound(program, sources, mapping or {}, sizes or {}, dtype, device, diagnostics)
    except SourceError as error:  # over what is unpacked on the way
        diagnostics.report("PPL090", None, error.message, error.remedy)
        raise SpecError(diagnostics) from None


def _bound(
    program: Program,
    sources: Any,
    mapping: Mapping[str, str],
    sizes: Mapping[str, int],
    dtype: torch.dtype,
    device: str | torch.device,
    diagnostics: Diagnostics,
) -> BoundData:
    # Sources as they are; without all of them, everything else would be guesswork.
    read = read_sources(sources, diagnostics)
    diagnostics.raise_errors()
    # Declared variables find their columns, and the columns become numbers or labels.
    matches = match(program, read, mapping, diagnostics)
    drafts = _drafts(agreeing(program, matches, sizes, diagnostics), diagnostics)
    # Dims get their labels, and data the order of the labels.
    columns = label_columns(program, read, drafts, mapping, diagnostics)
    labels, from_index = dim_labels(program, columns, drafts)
    check_labels(program, labels, columns, diagnostics)
    drafts = {
        name: align(drafted, labels, from_index, columns, diagnostics)
        for name, drafted in drafts.items()
    }
    # Dims get their sizes from everything that tells them.
    incomplete = _dims_of_faulty(program, drafts)
    inferred = infer_sizes(program, read, drafts, labels, columns, sizes, incomplete, diagnostics)
    of_gaps = check_gaps(program, gapless(program, inferred), diagnostics)
    if not has_room(program, inferred, drafts, diagnostics):
        diagnostics.raise_errors()
    # Values are held against their declarations, and become tensors or stay in their files.
    streamed, notes = streamed_dims(program, {n: d.values.shape for n, d in drafts.items()})
    values: dict[str, torch.Tensor | Stored | int] = {**inferred}
    for name, drafted in drafts.items():
        if _may_stay(drafted, streamed, labels, device):
            stored = _stored(drafted, inferred, dtype, diagnostics)
            if stored is not None:
                values[name] = stored
            continue
        tensor = _tensor(drafted, inferred, labels, dtype, diagnostics)
        if tensor is not None:
            values[name] = tensor.to(device)
    diagnostics.raise_errors()
    names = {dim: plain_labels(known) for dim, known in labels.items()}
    return BoundData(
        values=values,
        coords={
            dim: _coords(program, dim, size, names, in_full=dim not in streamed)
            for dim, size in inferred.items()
        }
        | gap_coords(program, drafts, names),
        observed=tuple(s.name for s in program.sites() if s.observed and s.name in drafts),
        streamed=streamed,
        notes=(*_notes(read, matches, known={*mapping, *inferred}), *of_gaps, *notes),
        hashes=data_hashes(read, values),
        watched=tuple(one for source in read for one in source.watched),
    )


def _drafts(matches: Mapping[str, Match], diagnostics: Diagnostics) -> dict[str, Draft]:
    drafts = ((name, draft(found, diagnostics)) for name, found in matches.items())
    return {name: drafted for name, drafted in drafts if drafted is not None}


def _dims_of_faulty(program: Program, drafts: Mapping[str, Draft]) -> frozenset[str]:
    faulty = [variable for variable in program.data if variable.name not in drafts]
    dims = {str(dim) for variable in faulty for dim in variable.dims}
    return frozenset(dims | {str(v.index_of) for v in faulty if v.index_of})


def _may_stay(
    drafted: Draft,
    streamed: frozenset[str],
    labels: Mapping[str, Labels],
    device: str | torch.device,
) -> bool:
    """Whether a variable can stay in its file: the model reads minibatches of it, as it stands."""
    return (
        drafted.mapped
        and not streamed.isdisjoint(map(str, drafted.variable.dims))
        and drafted.variable.index_of not in labels
        and torch.device(device).type == "cpu"
    )


def _stored(
    drafted: Draft, sizes: Mapping[str, int], dtype: torch.dtype, diagnostics: Diagnostics
) -> Stored | None:
    variable = drafted.variable
    if variable.index_of is not None:
        dim = variable.index_of
        known = dim in sizes and in_range(drafted, dim, sizes[dim], diagnostics)
        return Stored.over(drafted.values, variable.base) if known else None
    check_values(drafted, diagnostics)
    if drafted.values.dtype.itemsize > dtype.itemsize:
        most = torch.finfo(dtype).max
        (beyond,) = search(drafted.parts(), [lambda values: np.abs(values) > most])
        if beyond is not None:
            _report_overflow(drafted, dtype, diagnostics)
    return Stored.over(drafted.values, None)


def _report_overflow(drafted: Draft, dtype: torch.dtype, diagnostics: Diagnostics) -> None:
    diagnostics.report(
        "PPL093",
        drafted.variable.location.span,
        f"{drafted.match.label} has values too large for {str(dtype).removeprefix('torch.')}",
        "fit with --dtype float64, or rescale the data",
    )


def _begins_by_chance(tensor: torch.Tensor) -> bool:
    """Whether the address of numpy's memory, in units of a vector register, differs between runs.

    Torch's products of matrices differ with it in their last digits, and a fit that goes on from
    a checkpoint is to have the numbers of one that was never interrupted. Large arrays begin where
    pages do.
    """
    return bool(tensor.data_ptr() % _REGISTER) and tensor.nbytes < _LARGE


def _tensor(
    drafted: Draft,
    sizes: Mapping[str, int],
    labels: Mapping[str, Labels],
    dtype: torch.dtype,
    diagnostics: Diagnostics,
) -> torch.Tensor | None:
    if drafted.variable.element == "index":
        found = places(drafted, sizes, labels, diagnostics)
        return None if found is None else torch.as_tensor(found)
    check_values(drafted, diagnostics)
    values = drafted.values
    own = np.array(values, order="C") if drafted.mapped else np.ascontiguousarray(values)
    tensor = torch.as_tensor(own, dtype=dtype).reshape(values.shape)
    if _begins_by_chance(tensor):
        tensor = tensor.clone()
    if not drafted.variable.missing and not bool(torch.isfinite(tensor).all()):
        _report_overflow(drafted, dtype, diagnostics)
    return tensor


def _coords(
    program: Program, dim: str, size: int, labels: Mapping[str, Labels], *, in_full: bool
) -> Sequence[Any]:
    if dim in labels:
        return labels[dim]
    bases = [variable.base for variable in program.data if variable.index_of == dim]
    base = min(bases, default=0)
    numbers = range(base, base + size)
    return tuple(numbers) if in_full else numbers


def _notes(
    sources: Sequence[Source], matches: Mapping[str, Match], known: set[str]
) -> tuple[str, ...]:
    notes = []
    for source in sources:
        used = known | {
            column.name
            for found in matches.values()
            if found.source is source
            for column in found.columns
        }
        unused = [name for name in source.columns if name not in used]
        if unused:
            notes.append(f"{source.label}: not used: {', '.join(unused)}")
    return tuple(notes)
