"""Resolves `truncated(…)`: a distribution cut off at bounds."""

from __future__ import annotations

from compiler.ir import Constant, Expression
from compiler.ir.axes import BY_NAME, Sizes, shown
from compiler.ir.types import Axis
from compiler.resolve.distributions import ResolvedDistribution
from compiler.resolve.expressions import Expressions
from compiler.resolve.how_drawn import Modifiers
from compiler.resolve.scope import Scope
from grammar import nodes
from grammar.span import Span


def truncate(
    modifier: nodes.Modifier,
    resolved: ResolvedDistribution,
    found: Modifiers,
    expressions: Expressions,
    scope: Scope,
) -> bool:
    """Enter the bounds of `truncated(…)`; False where one is wrong, once told."""
    row = resolved.row
    if not row.truncatable:
        scope.diagnostics.report(
            "PPL035",
            modifier.span,
            f"{row.name} cannot be truncated: its distribution function is not at hand",
            "choose a distribution that has one, such as Normal, Gamma, StudentT or Poisson",
        )
        return False
    for keyword in modifier.keywords:
        if keyword.name.text not in ("lower", "upper"):
            scope.diagnostics.report(
                "PPL035",
                keyword.span,
                f"`truncated` has no argument `{keyword.name.text}`",
                "write `truncated(lower = a, upper = b)`, or one of the two",
            )
            return False
        bound = expressions.resolve(keyword.value, scope)
        if bound is None:
            return False
        if keyword.name.text == "lower":
            found.lower = bound
        else:
            found.upper = bound
    found.truncated = True
    return bounds_in_order(modifier.span, found, scope) and _narrow(found)


def bounds_fit(
    statement: nodes.Sample, found: Modifiers, left: tuple[Axis, ...], sizes: Sizes, scope: Scope
) -> bool:
    """Tell whether the limits of a site have no dims but its own, and report one that has.

    Args:
        statement: The site's statement.
        found: Its modifiers.
        left: The dims over which its draws are independent.
        sizes: What is known of dims' sizes.
        scope: Where to report.
    """
    limits = {"lower": found.lower, "upper": found.upper, **found.censoring}
    for modifier in statement.modifiers:
        for keyword in modifier.keywords:
            limit = limits.get(keyword.name.text)
            if limit is None or sizes.align(limit.type.event, left) is not None:
                continue
            own = f"has {shown(left)}" if left else "is a single number"
            scope.diagnostics.report(
                "PPL036",
                keyword.value.span,
                f"`{keyword.name.text}` of `{modifier.kind}` has {shown(limit.type.event)}, but "
                f"`{statement.name.text}` {own} here",
                BY_NAME,
            )
            return False
    return True


def bounds_in_order(span: Span, found: Modifiers, scope: Scope) -> bool:
    """Tell whether literal bounds are in order, and report those that are not."""
    low, high = found.lower, found.upper
    if (
        isinstance(low, Constant)
        and isinstance(high, Constant)
        and float(low.value) >= float(high.value)
    ):
        scope.diagnostics.report(
            "PPL034",
            span,
            f"the lower bound {low.value} is not below the upper bound {high.value}",
            "write the smaller bound as `lower`",
        )
        return False
    return True


def _narrow(found: Modifiers) -> bool:
    def tighter(a: float | None, bound: Expression | None, pick: str) -> float | None:
        if not isinstance(bound, Constant):
            return a
        value = float(bound.value)
        return value if a is None else max(a, value) if pick == "lower" else min(a, value)

    open_bounds = any(
        b is not None and not isinstance(b, Constant) for b in (found.lower, found.upper)
    )
    found.support = found.support.model_copy(
        update={
            "lower": tighter(found.support.lower, found.lower, "lower"),
            "upper": tighter(found.support.upper, found.upper, "upper"),
            "open_bounds": found.support.open_bounds or open_bounds,
        }
    )
    return True
