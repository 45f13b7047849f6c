"""Checks that init goes with the part: its family takes one, and its values are for its sites."""

from __future__ import annotations

from compiler.checks.parts import families_of
from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir.guides import InitValue, SiteOption
from compiler.ir.program import Program
from compiler.tables.inits import INITS


def check_taken(program: Program, diagnostics: Diagnostics) -> None:
    """PPL074: a family that starts by itself is given no init."""
    for _, part, family in families_of(program):
        if family.default_init is None and (part.init is not None or part.values):
            place = part.init.location if part.init is not None else part.values[0].location
            why = (
                "it starts at the prior's probabilities"
                if family.holds == "discrete"
                else "its flow starts from the weights of its network"
            )
            diagnostics.report(
                "PPL074",
                place.span,
                f"{family.name} takes no init: {why}",
                "leave it out",
            )


def check_membership(program: Program, diagnostics: Diagnostics) -> None:
    """PPL071: values of single sites are for sites of the part that they stand in."""
    for guide, part, _ in families_of(program):
        owners = {name: other.name for other in guide.parts for name in other.sites}
        given: tuple[InitValue | SiteOption, ...] = (*part.values, *part.by_site)
        for value in given:
            if value.site in part.sites:
                continue
            owner = owners.get(value.site)
            guess = did_you_mean(value.site, part.sites)
            diagnostics.report(
                "PPL071",
                value.location.span,
                f"`{value.site}` is in part `{owner}`, not in part `{part.name}`"
                if owner
                else f"Part `{part.name}` has no site `{value.site}`",
                f"move the value to part `{owner}`"
                if owner
                else f"did you mean `{guess}`?"
                if guess
                else f"it covers {', '.join(f'`{name}`' for name in part.sites)}",
            )


def check_complete(program: Program, diagnostics: Diagnostics) -> None:
    """PPL076: `init value` has a value for every site of its part."""
    for _, part, _ in families_of(program):
        if part.init is None or part.init.name not in INITS:
            continue
        given = {value.site for value in part.values}
        left = [name for name in part.sites if name not in given]
        if INITS[part.init.name].needs_values and left:
            names = ", ".join(f"`{name}`" for name in left)
            diagnostics.report(
                "PPL076",
                part.init.location.span,
                f"`init value` of part `{part.name}` gives no value for {names}",
                "add it to `at { … }`, or name a strategy for the rest: `init median at { … }`",
            )
