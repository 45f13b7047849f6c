"""Gaps in data that are declared `missing`: how many there are, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compiler.binding.draft import Draft
from compiler.binding.labels import Labels
from compiler.diagnostics import Diagnostics
from compiler.ir import Program


def check_gaps(program: Program, sizes: Mapping[str, int], diagnostics: Diagnostics) -> None:
    """Report data without gaps where the model has latents for them."""
    for site in program.latents():
        if site.imputes is None or sizes.get(f"{site.imputes}_gap") != 0:
            continue
        diagnostics.report(
            "PPL094",
            site.location.span,
            f"{site.imputes!r} is declared `missing`, and has no gaps to fill",
            "take `missing` away",
        )


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
