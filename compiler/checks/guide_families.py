"""Checks that the family of a part can hold its sites."""

from __future__ import annotations

from compiler.checks.parts import families_of, sites_of
from compiler.diagnostics import Diagnostics
from compiler.ir.program import Program
from compiler.ir.queries import minibatches
from compiler.ir.statements import Site
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.families import DISCRETE_PARALLEL
from compiler.tables.family_row import Family
from grammar.span import NOWHERE


def check_minibatched(program: Program, diagnostics: Diagnostics) -> None:
    """PPL068: latents in a minibatched plate have a family that keeps one value for each entry."""
    small = minibatches(program)
    for _, part, family in families_of(program):
        for site in sites_of(program, part):
            plates = [plate for plate in site.plates if plate in small]
            if plates and not family.minibatch:
                diagnostics.report(
                    "PPL068",
                    part.location.span,
                    f"{family.name} cannot hold `{site.name}`, whose plate `{plates[0]}` is "
                    "minibatched",
                    "add `marginalize` to its draw"
                    if site.discrete
                    else f"give `{site.name}` a part of its own: "
                    f"`part local = AutoNormal({site.name})`",
                    [(f"`{site.name}` is drawn here", site.location.span)],
                )


def check_supports(program: Program, diagnostics: Diagnostics) -> None:
    """PPL069: the family goes with the support of each of its sites."""
    for _, part, family in families_of(program):
        for site in sites_of(program, part):
            trouble = _trouble(family, site)
            if trouble is not None:
                message, remedy = trouble
                drawn = site.location.span
                written = part.location.span != NOWHERE  # the automatic guide stands nowhere
                diagnostics.report(
                    "PPL069",
                    part.location.span if written else drawn,
                    message,
                    remedy,
                    [(f"`{site.name}` is drawn here", drawn)] if written else [],
                )


def _trouble(family: Family, site: Site) -> tuple[str, str] | None:
    """Return what is wrong with a site in a family, and what to do."""
    name, distribution = site.name, site.distribution.name
    if family.holds == "continuous" and site.discrete:
        return (
            f"{family.name} holds continuous latents; `{name}` is discrete",
            f"add `marginalize` to its draw, or write `part labels = AutoDiscreteParallel({name})`",
        )
    if family.holds == "discrete" and not site.discrete:
        return (
            f"{family.name} holds discrete latents; `{name}` is continuous",
            f"write `part rest = AutoNormal({name})`",
        )
    if site.support.kind in ("sphere", "unit_vector"):
        return (
            f"{family.name} cannot hold `{name}`, which lives on a sphere",
            "draw an unnormalised vector from `Normal` and divide it by its length",
        )
    if site.support.kind in ("positive_definite", "lower_cholesky"):
        return (
            f"{family.name} cannot hold `{name}`, a matrix that has no unconstrained form",
            "draw scales, and a factor from LKJCholesky: `scales * L` is the covariance's factor",
        )
    row = DISTRIBUTIONS.get(distribution)
    if family.holds == "discrete" and row is not None and row.enumerable:
        if distribution not in DISCRETE_PARALLEL:
            return (
                f"{family.name} holds {', '.join(DISCRETE_PARALLEL)}; `{name}` is {distribution}",
                "add `marginalize` to its draw",
            )
        if len(site.event) > row.event_rank:
            return (
                f"{family.name} takes its sites one by one; `{name}` has the event dim "
                f"`{site.event[0]}`",
                "draw it in a plate over that dim",
            )
    return None
