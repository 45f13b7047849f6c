"""Resolves how the states of a `recur` are drawn: `x ~ init … then …`."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.ir import Distribution
from compiler.resolve.distributions import ResolvedDistribution, resolve_distribution
from compiler.resolve.expressions import Expressions
from compiler.resolve.how_drawn import Modifiers
from compiler.resolve.scope import Scope
from grammar import nodes


@dataclass(frozen=True)
class State:
    """How a site of a `recur` is drawn; the fields are those of `compiler.ir.Site`."""

    initial: Distribution | None = None
    noncentered: bool = False
    stepped: bool = False


def resolve_state(
    statement: nodes.Sample,
    resolved: ResolvedDistribution,
    modifiers: Modifiers,
    expressions: Expressions,
    scope: Scope,
    observed: bool,
    predicting: bool,
) -> State | None:
    """Return how a site is drawn; None where something is wrong, once told.

    A latent state is drawn through independent innovations where its distributions have a location
    and a scale, and else as one flat sequence beside which stands the density of every step.
    """
    name = statement.name.text
    first: ResolvedDistribution | None = None
    if statement.initial is not None:
        first = resolve_distribution(statement.initial, expressions, scope)
        if first is None or not _goes(statement, first, resolved, expressions, scope):
            return None
    initial = None if first is None else first.distribution
    seen = scope.foreseen.get(name)
    if observed:
        if first is not None and first.row is not resolved.row:
            _refuse(
                statement,
                scope,
                f"`{name}` is observed, and its first steps have another distribution",
                f"take {resolved.row.name} for both, or model the first steps outside `recur`",
            )
            return None
        return State(initial)
    if first is None and (seen is None or not seen.used):
        return State(noncentered=modifiers.noncentered)
    problem = _problem(resolved, modifiers, predicting)
    apart = _apart(first, resolved) and not modifiers.truncated and not modifiers.constraint
    centered = any(m.argument is not None and m.argument.text == "centered"
                   for m in statement.modifiers if m.kind == "reparam")  # fmt: skip
    if modifiers.noncentered and not apart:
        problem = "noncentered needs the same distribution, with a scale, for `init` and `then`"
    if apart and not centered:
        return State(initial, noncentered=True)
    if problem is None and predicting:
        problem = "`predict` draws a sequence only from a distribution with location and scale"
    if problem is not None:
        _refuse(statement, scope, f"`{name}` depends on its own past: {problem}")
        return None
    return State(initial, stepped=True)


def _goes(
    statement: nodes.Sample,
    first: ResolvedDistribution,
    resolved: ResolvedDistribution,
    expressions: Expressions,
    scope: Scope,
) -> bool:
    """Tell whether `init` draws what `then` draws."""
    same = first.row.name == "Flat" or (
        first.row.element == resolved.row.element
        and expressions.sizes.unify_all(first.own, resolved.own) is not None
    )
    if not same:
        _refuse(
            statement,
            scope,
            f"{first.row.name} after `init` does not draw what {resolved.row.name} draws",
            f"take {resolved.row.name} for both",
        )
    return same


def _apart(first: ResolvedDistribution | None, resolved: ResolvedDistribution) -> bool:
    """Tell whether both distributions are the same standard one, moved and scaled."""
    row = resolved.row
    if row.loc_scale is None:
        return False
    moved = (row.loc_scale.loc, row.loc_scale.scale)
    for one in (resolved, first or resolved):
        if one.row is not row or row.loc_scale.scale not in one.distribution.arguments:
            return False
    rest = [
        {n: a for n, a in one.distribution.arguments.items() if n not in moved}
        for one in (resolved, first or resolved)
    ]
    return rest[0] == rest[1]


def _problem(resolved: ResolvedDistribution, modifiers: Modifiers, predicting: bool) -> str | None:
    """Return why a state cannot be drawn as a flat sequence, or None if it can."""
    support = modifiers.support
    if resolved.row.element == "int":
        return f"a chain of {resolved.row.name} cannot be drawn"
    if modifiers.constraint is not None or support.kind != "real":
        return "its values are not single numbers"
    if modifiers.lowered or support.open_bounds:
        return "its bounds are not numbers"
    return None


def _refuse(
    statement: nodes.Sample,
    scope: Scope,
    message: str,
    remedy: str = "take distributions with a location and a scale, such as Normal",
) -> None:
    scope.diagnostics.report("PPL037", statement.span, message, remedy)
