"""Resolves `censored(…)`: values that are known in part only."""

from __future__ import annotations

from compiler.ir import Expression
from compiler.resolve.distributions import ResolvedDistribution
from compiler.resolve.expressions import Expressions
from compiler.resolve.how_drawn import Modifiers
from compiler.resolve.scope import Scope
from grammar import nodes

_LIMITS = ("lower", "upper")
_INDICATORS = ("left", "right")
_CENSORED = (*_LIMITS, *_INDICATORS, "until")


def censor(
    modifier: nodes.Modifier,
    resolved: ResolvedDistribution,
    found: Modifiers,
    expressions: Expressions,
    scope: Scope,
    observed: bool,
) -> bool:
    """Enter what `censored(…)` says; False where something is wrong, once told."""
    row = resolved.row
    message = remedy = ""
    if not observed:
        message = "`censored` is said of data, and this is drawn, not observed"
        remedy = "leave it away; a latent between bounds is `truncated(lower = a, upper = b)`"
    elif not row.truncatable:
        message = f"{row.name} cannot be censored: its distribution function is not at hand"
        remedy = "choose a distribution that has one, such as Normal, Weibull, Gamma or Poisson"
    elif found.truncated:
        message = "`censored` and `truncated` do not go together"
        remedy = "leave one of the two away"
    if message:
        scope.diagnostics.report("PPL035", modifier.span, message, remedy)
        return False
    for keyword in modifier.keywords:
        name = keyword.name.text
        if name not in _CENSORED:
            scope.diagnostics.report(
                "PPL035",
                keyword.span,
                f"`censored` has no argument `{name}`",
                "write `right = flag` (or `left = flag`) where a column tells which values are "
                "censored, `lower = a` or `upper = b` for limits, `until = end` for intervals",
            )
            return False
        value = expressions.resolve(keyword.value, scope)
        if value is None:
            return False
        if name in _INDICATORS and not _is_indicator(value):
            scope.diagnostics.report(
                "PPL035",
                keyword.value.span,
                f"`{name}` tells which values are censored, and this is a number",
                f"write a condition such as `{name} = status == 0`, or declare the column as "
                f"`bool` or `int in 0 .. 1`; the limit itself goes to "
                f"`{'lower' if name == 'left' else 'upper'}`",
            )
            return False
        found.censoring[name] = value
    return True


def _is_indicator(value: Expression) -> bool:
    support = value.type.support
    return value.type.element == "bool" or (
        value.type.element == "int" and support.lower == 0 and support.upper == 1
    )
