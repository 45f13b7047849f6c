"""Checks that what a part follows has been drawn before it."""

from __future__ import annotations

from compiler.checks.parts import families_of
from compiler.diagnostics import Diagnostics
from compiler.ir.program import Program
from compiler.tables.hierarchy import hierarchical_sites


def check_order(program: Program, diagnostics: Diagnostics) -> None:
    """PPL085: the parts that cover what a part follows stand above it."""
    for guide, part, family in families_of(program):
        if not family.follows:
            continue
        later = guide.parts[guide.parts.index(part) + 1 :]
        owners = {name: other for other in later for name in other.sites}
        needed = {
            source: name
            for name, sources in hierarchical_sites(program, part).items()
            for source in sources
            if source in owners
        }
        for other in later:
            sources = [source for source in needed if owners[source] is other]
            if sources:
                diagnostics.report(
                    "PPL085",
                    part.location.span,
                    f"part `{part.name}` draws `{needed[sources[0]]}` given `{sources[0]}`, which "
                    f"part `{other.name}` below draws only after it",
                    f"move part `{other.name}` above part `{part.name}`",
                    [(f"part `{other.name}` is here", other.location.span)],
                )
