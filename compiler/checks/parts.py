"""The parts of a program's guides, as the checks go through them."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.ir.guides import Guide, InitValue, Part
from compiler.ir.program import Program
from compiler.ir.statements import Site
from compiler.tables.families import FAMILIES
from compiler.tables.family_row import Family


def families_of(program: Program) -> Iterator[tuple[Guide, Part, Family]]:
    """Yield each part with its guide and its family's row; unknown families are left out."""
    for guide in program.guides:
        for part in guide.parts:
            if isinstance(part, Part) and part.family in FAMILIES:
                yield guide, part, FAMILIES[part.family]


def sites_of(program: Program, part: Part) -> tuple[Site, ...]:
    """Return the sites of a part."""
    return tuple(site for site in program.latents() if site.name in part.sites)


def values_of(program: Program) -> Iterator[tuple[Guide, InitValue, Site]]:
    """Yield each init value that stands in the part of its site."""
    for guide in program.guides:
        for part in guide.parts:
            if isinstance(part, Part):
                sites = {site.name: site for site in sites_of(program, part)}
                for value in part.values:
                    if value.site in sites:
                        yield guide, value, sites[value.site]
