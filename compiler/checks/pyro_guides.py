"""Checks that a guide can be made of Pyro's own classes: only for code that is to use them."""

from __future__ import annotations

from collections.abc import Iterable

from compiler.checks.parts import families_of
from compiler.diagnostics import Diagnostics
from compiler.ir.guides import Guide
from compiler.ir.program import Program

_REMEDY = "emit it with `--guides core`"


def check_pyro_guides(program: Program, guides: Iterable[Guide], diagnostics: Diagnostics) -> None:
    """PPL084: Pyro has the families and the options of the guides.

    Args:
        program: The program.
        guides: Those of its guides that are to be made of Pyro's classes.
        diagnostics: Where it is told.
    """
    names = {guide.name for guide in guides}
    for guide, part, family in families_of(program):
        if guide.name not in names:
            continue
        if not family.in_pyro:
            diagnostics.report(
                "PPL084",
                part.location.span,
                f"Pyro's own AutoGuideList cannot have a part {family.name}",
                f"{_REMEDY}, or take another family",
            )
            continue
        for given in part.by_site[:1]:
            diagnostics.report(
                "PPL084",
                given.location.span,
                f"Pyro's own {family.name} has one `{given.option}` for all its sites",
                f"{_REMEDY}, or give `{given.site}` a part of its own",
            )
        for option in family.options:
            value = part.options.get(option.name, option.default)
            if value in option.not_in_pyro:
                diagnostics.report(
                    "PPL084",
                    part.location.span,
                    f"Pyro's own {family.name} has no `{option.name} = {value}`",
                    f"{_REMEDY}, or write `{option.name} = {option.default}`",
                )
