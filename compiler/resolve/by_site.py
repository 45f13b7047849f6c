"""Resolves `option = value at { site = value }`: an option's own values for single sites."""

from __future__ import annotations

from collections.abc import Iterable

from compiler.diagnostics import Diagnostics
from compiler.ir.guides import SiteOption
from compiler.ir.types import Location
from compiler.resolve.options import accepted, told_twice
from compiler.tables.family_row import Family
from grammar import nodes


def resolve_by_site(
    written: Iterable[nodes.Option], family: Family, diagnostics: Diagnostics
) -> tuple[SiteOption, ...]:
    """Return the values by site of a part's options, those with mistakes left out.

    Args:
        written: The options of the part; those that the family does not have are passed over.
        family: Its family.
        diagnostics: Where mistakes are told.
    """
    found: list[SiteOption] = []
    for option in written:
        row = family.option(option.name.text)
        if row is None or not option.at:
            continue
        if not row.by_site:
            diagnostics.report(
                "PPL065",
                option.span,
                f"`{row.name}` of {family.name} is the same for all sites of a part",
                "leave `at { … }` out, or give the site a part of its own",
            )
            continue
        seen: dict[str, nodes.Name] = {}
        for given in option.at:
            if told_twice(given.name, seen, diagnostics, "PPL011"):
                continue
            value = accepted(given.value, row, diagnostics, owner=family.name, code="PPL066")
            if value is not None:
                place = Location.of(given.span)
                site = given.name.text
                found.append(SiteOption(option=row.name, site=site, value=value, location=place))
    return tuple(found)
