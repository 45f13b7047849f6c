"""Gaps in data that are declared `missing`: how many there are, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compiler.binding.draft import Draft
from compiler.binding.labels import Labels
from compiler.diagnostics import Diagnostics
from compiler.ir import Program
from compiler.ir.gapless import fillers, without_gaps
from compiler.ir.program import statements
from compiler.ir.queries import references, values_of


def gapless(program: Program, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Return the data without gaps for whose gaps the model has latents."""
    return tuple(
        site.imputes
        for site in program.latents()
        if site.imputes is not None and sizes.get(f"{site.imputes}_gap") == 0
    )


def check_gaps(program: Program, names: Sequence[str], diagnostics: Diagnostics) -> tuple[str, ...]:
    """Return notes of data without gaps; what reads the latents for them is reported.

    Args:
        program: The program.
        names: Data without gaps, as `gapless` returns them.
        diagnostics: Where to report.
    """
    gone = fillers(program, names)
    reduced = without_gaps(program, names) if names else program
    for statement in (*statements(reduced.model), *statements(reduced.predict)):
        read = {one.name for value in values_of(statement) for one in references(value)}
        for name in sorted(read & gone):
            diagnostics.report(
                "PPL094",
                statement.location.span,
                f"{name!r} is read here, and the data has no gaps that it would fill",
                "take `missing` and what reads this away",
            )
    return tuple(f"{name!r} is declared `missing`, and has no gaps" for name in names)


def gap_coords(
    program: Program, drafts: Mapping[str, Draft], labels: Mapping[str, Labels]
) -> dict[str, Sequence[Any]]:
    """Return the labels of the gaps: where each stands in its variable.

    A gap in a vector is called as its entry is; one in a matrix by the labels of its row and
    column with a comma between them.
    """
    found: dict[str, Sequence[Any]] = {}
    for dim in program.dims:
        if dim.gaps_of is None or dim.gaps_of not in drafts:
            continue
        drafted = drafts[dim.gaps_of]
        axes = [labels.get(str(axis)) for axis in drafted.variable.dims]
        places = np.argwhere(np.isnan(drafted.values.astype(np.float64)))
        names = [
            [int(i) if known is None else known[i] for i, known in zip(place, axes, strict=True)]
            for place in places
        ]
        found[dim.name] = tuple(
            name[0] if len(name) == 1 else ",".join(map(str, name)) for name in names
        )
    return found
