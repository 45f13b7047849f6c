"""Checks of discrete latents: handled exactly once, enumerable, in place, and not too many."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from compiler.diagnostics import Diagnostics
from compiler.ir.expressions import Lag, Reference
from compiler.ir.guides import Part
from compiler.ir.program import Program, statements
from compiler.ir.queries import (
    known_size,
    minibatches,
    plates_around,
    prerequisites,
    subexpressions,
    values_of,
)
from compiler.ir.statements import Assignment, FactorTerm, Recorded, Site
from compiler.tables.distributions import DISTRIBUTIONS

ENUMERATION_BUDGET = 10_000_000
"""Most entries that one enumerated tensor may have: 80 MB in double precision."""

_UNKNOWN_SIZE = 100
"""What a plate counts as where only the data tells its size."""


def check_enumerable(program: Program, diagnostics: Diagnostics) -> None:
    """PPL052: a site that is summed out has a distribution that can be."""
    for site in _enumerated(program):
        row = DISTRIBUTIONS.get(site.distribution.name)
        bounded = row is not None and row.counts and site.support.upper is not None
        if row is not None and not row.enumerable and not bounded:
            able = ", ".join(name for name, row in DISTRIBUTIONS.items() if row.enumerable)
            diagnostics.report(
                "PPL052",
                site.location.span,
                f"`{site.name}` cannot be summed out: {site.distribution.name} cannot be "
                "enumerated",
                f"draw it from one of {able}, or cover it with a callable part",
            )
        elif row is not None and site.marginalized and len(site.event) > row.event_rank:
            dim = site.event[0]
            diagnostics.report(
                "PPL052",
                site.location.span,
                f"`{site.name}` is summed out entry by entry, but has the dim `{dim}` in brackets",
                "draw it in a plate over that dim",
            )


def check_handled_once(program: Program, diagnostics: Diagnostics) -> None:
    """PPL050 and PPL051: a discrete latent is marginalised, or in a part, and not both."""
    for guide in program.guides:
        owners = {name: part for part in guide.parts for name in part.sites}
        for site in program.latents():
            owner = owners.get(site.name)
            if site.marginalized and owner is not None:
                diagnostics.report(
                    "PPL051",
                    owner.location.span,
                    f"`{site.name}` is marginalised: there is nothing of it for part "
                    f"`{owner.name}` to hold",
                    f"take `{site.name}` out of the part, or drop `marginalize`",
                    [(f"`{site.name}` is marginalised here", site.location.span)],
                )
            elif site.discrete and not site.marginalized and owner is None:
                diagnostics.report(
                    "PPL050",
                    site.location.span,
                    f"nothing in the guide `{guide.name}` handles the discrete `{site.name}`",
                    "add `marginalize` to its draw, or write `part labels = "
                    f"AutoDiscreteParallel({site.name})`",
                    [(f"the guide `{guide.name}` is here", guide.location.span)],
                )


def check_enumeration_size(program: Program, diagnostics: Diagnostics) -> None:
    """PPL053: the classes that meet in one draw, over its plates, are within a budget."""
    small = minibatches(program)
    enumerated = {site.name: site for site in _enumerated(program)}
    if not enumerated:
        return
    told: set[str] = set()
    for site in program.sites():
        parents = [
            enumerated[other.name]
            for other in prerequisites(program, values_of(site))
            if isinstance(other, Site) and other.name in enumerated
        ]
        together = [*parents, *([site] if site.name in enumerated else [])]
        if {other.name for other in together} <= told:
            continue
        classes = [_classes(program, other) or 1 for other in together]
        sizes = [
            small.get(plate) or known_size(program, plate) or _UNKNOWN_SIZE for plate in site.plates
        ]
        total = prod(classes) * prod(sizes)
        if total > ENUMERATION_BUDGET:
            told |= {other.name for other in together}
            names = ", ".join(f"`{other.name}`" for other in together)
            where = "" if together == [site] else f" at `{site.name}`"
            diagnostics.report(
                "PPL053",
                site.location.span,
                f"summing out {names}{where} takes some {total:,} terms a step; "
                f"more than {ENUMERATION_BUDGET:,} are not allowed",
                "use fewer classes, minibatch the plate, or draw the sites independently",
            )


def check_enumerated_plates(program: Program, diagnostics: Diagnostics) -> None:
    """PPL054: what depends on a site that is summed out stands in all of its plates."""
    enumerated = {site.name: site for site in _enumerated(program)}
    if not enumerated:
        return
    plates = plates_around(program)
    for statement in statements(program.model):
        if not isinstance(statement, Site | FactorTerm):
            continue
        around = plates.get(statement.name, ())
        needed = prerequisites(program, values_of(statement))
        for other in needed:
            if other.name not in enumerated:
                continue
            left = [plate for plate in plates.get(other.name, ()) if plate not in around]
            across = _across(program, statement, needed, enumerated[other.name])
            if across and not left:
                diagnostics.report(
                    "PPL054",
                    statement.location.span,
                    f"`{statement.name}` uses other entries of `{other.name}` than its own, and "
                    f"each is summed out by itself in `plate {across[0]}`",
                    f"let it use the entry of its own `{across[0]}` only; states that depend on "
                    f"one another are a chain: `{other.name} ~ init … then …`",
                    [(f"`{other.name}` is drawn here", other.location.span)],
                )
            if left:
                missing = " and ".join(f"`plate {plate}`" for plate in left)
                diagnostics.report(
                    "PPL054",
                    statement.location.span,
                    f"`{statement.name}` uses `{other.name}`, which is summed out for each entry "
                    f"of {missing}, outside of it",
                    f"put `{statement.name}` inside {missing}, too, with data that run over its "
                    "dim",
                    [(f"`{other.name}` is drawn here", other.location.span)],
                )


def _across(
    program: Program,
    statement: Site | FactorTerm,
    needed: Iterable[Site | Assignment | Recorded],
    site: Site,
) -> list[str]:
    """Return the plates of a site along which a statement, or what it needs, reads its values.

    Along them a value that is summed out has no entries: it has one axis for all its classes.
    """
    if site.states is not None:  # a hidden chain, which has rules of its own
        return []
    between = [other for other in needed if not isinstance(other, Site)]
    tied = {site.name} | {
        other.name for other in between if site in prerequisites(program, values_of(other))
    }
    across = set()
    for one in (statement, *between):
        for part in (part for value in values_of(one) for part in subexpressions(value)):
            if isinstance(part, Lag) and part.base.name in tied:
                across.add(part.dim)
            elif isinstance(part, Reference) and part.name in tied:
                across |= {*site.plates} - {*part.type.batch}
    return [plate for plate in site.plates if plate in across]


def _enumerated(program: Program) -> tuple[Site, ...]:
    """Return the sites that are marginalised, or enumerated by some guide."""
    parallel = {
        name
        for guide in program.guides
        for part in guide.parts
        if isinstance(part, Part) and part.family == "AutoDiscreteParallel"
        for name in part.sites
    }
    return tuple(
        site
        for site in program.latents()
        if site.discrete and (site.marginalized or site.name in parallel)
    )


def _classes(program: Program, site: Site) -> int | None:
    """Return how many values a discrete site takes, None where it is not known."""
    support = site.support
    if support.kind == "boolean":
        return 2
    if support.kind == "one_hot":
        return known_size(program, site.event[-1])
    if support.lower is not None and support.upper is not None:
        return int(support.upper - support.lower) + 1
    for name in ("probs", "logits"):
        argument = site.distribution.arguments.get(name)
        if argument is not None and argument.type.event:
            return known_size(program, argument.type.event[-1])
    return None
