"""Refuses sizes of dims for which no memory is enough, before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from compiler.binding.draft import Draft
from compiler.diagnostics import Diagnostics
from compiler.ir import Axis, Program, Site
from compiler.ir.queries import known_size
from compiler.memory import in_words, is_too_much, room

_BYTES = 8


def has_room(
    program: Program,
    sizes: Mapping[str, int],
    drafts: Mapping[str, Draft],
    diagnostics: Diagnostics,
) -> bool:
    """Report the dims over which a latent, or the dim's own labels, cannot be held in memory.

    Args:
        program: The program.
        sizes: The dims' sizes.
        drafts: The variables' data, which are blamed for the size of a dim that they point into.
        diagnostics: Where to report.

    Returns:
        Whether there are none.
    """
    wanted = {(dim, f"the labels of {dim!r}"): size for dim, size in sizes.items()}
    for site in program.latents():
        lengths = {axis: known_size(program, axis, sizes) or 1 for axis in _axes(site)}
        longest = max(lengths, key=lambda axis: lengths[axis], default=None)
        if isinstance(longest, str):
            wanted[longest, repr(site.name)] = prod(lengths[axis] for axis in _axes(site))
    told: set[str] = set()
    for (dim, what), numbers in wanted.items():
        if dim in told or dim not in sizes or not is_too_much(_BYTES * numbers):
            continue
        told.add(dim)
        need = f"{what} would need {in_words(_BYTES * numbers)}, and {room()}"
        diagnostics.report(
            "PPL095",
            program.dim(dim).location.span,
            f"dim {dim!r} has {sizes[dim]:,} entries{_origin(dim, drafts)}: {need}",
            "correct the number that gives the size",
        )
    return not told


def _axes(site: Site) -> tuple[Axis, ...]:
    return (*site.plates, *site.event)


def _origin(dim: str, drafts: Mapping[str, Draft]) -> str:
    """Say which index has the greatest number of those that point into a dim."""
    indices = [d for d in drafts.values() if d.variable.index_of == dim and not d.labels]
    if not indices:
        return ""
    greatest = max(indices, key=lambda d: float(np.nanmax(d.values)))
    flat = int(np.nanargmax(greatest.values))
    place = tuple(int(i) for i in np.unravel_index(flat, greatest.values.shape))
    return f", since {greatest.show(place)}"
