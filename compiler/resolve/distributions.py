"""Resolves a distribution's call: which argument is which parameter, and whether each may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.diagnostics import did_you_mean
from compiler.ir import Constant, Distribution, Expression, Items, Reference, Support
from compiler.ir.axes import ShapeProblem
from compiler.ir.types import Axis
from compiler.resolve.expressions import Expressions, axis_of
from compiler.resolve.scope import Scope
from compiler.resolve.vector_arguments import spread_numbers
from compiler.tables.distribution_row import DistributionRow, Parameter
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.foreign import distribution_hint
from compiler.tables.functions import FUNCTIONS
from compiler.tables.mixtures import MIXTURE, POINT
from grammar import nodes
from grammar.span import Span


@dataclass(frozen=True)
class ResolvedDistribution:
    """A distribution with what follows from its arguments.

    Attributes:
        row: Its row of the table.
        distribution: The IR node.
        spans: Where each argument stands, by parameter.
        own: The axes of one draw.
        left: Further axes of the arguments, over which they differ.
        support: Where its draws lie.
        index_of: The dim that a draw is an index into.
        random: Whether an argument depends on latents.
    """

    row: DistributionRow
    distribution: Distribution
    spans: dict[str, Span]
    own: tuple[Axis, ...]
    left: tuple[Axis, ...]
    support: Support
    index_of: Axis | None
    random: bool


def resolve_distribution(
    call: nodes.Call, expressions: Expressions, scope: Scope, *, component: bool = False
) -> ResolvedDistribution | None:
    """Return the distribution of a call; None where something is wrong, once told.

    Args:
        call: The call.
        expressions: Resolves its arguments.
        scope: The names around it.
        component: Whether it is that of a mixture's component.
    """
    row = DISTRIBUTIONS.get(call.function.text)
    if row is None:
        _unknown(call.function, scope)
        for argument in _inside(call):
            expressions.resolve(argument, scope)
        return None
    if not _in_its_place(row, call, component, scope):
        return None
    targets = matched(row, call, scope)
    if targets is None:
        for argument in (*call.arguments, *(k.value for k in call.keywords)):
            expressions.resolve(argument, scope)
        return None
    arguments: dict[str, Expression] = {}
    spans: dict[str, Span] = {}
    for node, parameter in targets:
        resolved = expressions.resolve(node, scope)
        if resolved is not None:
            arguments[parameter.name] = resolved
            spans[parameter.name] = node.span
    if len(arguments) < len(targets):
        return None
    if not _arguments_fit(row, arguments, spans, scope):
        return None
    arguments = spread_numbers(row, arguments)
    return _shaped(row, call, arguments, spans, expressions, scope)


def matched(
    row: DistributionRow, call: nodes.Call, scope: Scope
) -> list[tuple[nodes.Expr, Parameter]] | None:
    """Return which parameter each argument of a call goes to; None where it is wrong, once told."""
    given = (*call.arguments, *(keyword.value for keyword in call.keywords))
    bound = row.bind(len(call.arguments), [keyword.name.text for keyword in call.keywords])
    for problem in bound.problems:
        place = call.span if problem.argument is None else given[problem.argument].span
        if problem.argument is not None and problem.argument >= len(call.arguments):
            place = call.keywords[problem.argument - len(call.arguments)].span
        scope.diagnostics.report("PPL030", place, problem.message, problem.remedy)
    found = [
        (node, parameter)
        for node, parameter in zip(given, bound.targets, strict=True)
        if parameter is not None
    ]
    return None if bound.problems or len(found) < len(given) else found


def _in_its_place(row: DistributionRow, call: nodes.Call, component: bool, scope: Scope) -> bool:
    """Tell of a point outside of a mixture, and of a mixture where it cannot stand."""
    message = remedy = ""
    if row.name == MIXTURE:
        message = "a mixture stands alone: not in another, and not behind `init`"
        remedy = "list all components in one, with the products of the weights"
    elif row.name == POINT and not component:
        message = "a point is a component of a mixture, and no distribution of its own"
        remedy = "write `Mixture([p, 1 - p], [Point(0), Poisson(rate)])`, or `x = value`"
    if message:
        scope.diagnostics.report("PPL030", call.span, message, remedy)
    return not message


def _inside(call: nodes.Call) -> Iterator[nodes.Expr]:
    """Yield the arguments of a call; of distributions in a list, as a mixture has them, theirs."""
    for argument in (*call.arguments, *(keyword.value for keyword in call.keywords)):
        for part in argument.items if isinstance(argument, nodes.ListLiteral) else (argument,):
            if isinstance(part, nodes.Call) and part.function.text in DISTRIBUTIONS:
                yield from _inside(part)
            else:
                yield part


def _unknown(name: nodes.Name, scope: Scope) -> None:
    guess = did_you_mean(name.text, DISTRIBUTIONS)
    if guess is None and name.text in FUNCTIONS:
        scope.diagnostics.report(
            "PPL016",
            name.span,
            f"`{name.text}` is a function, and no distribution",
            f"write `x = {name.text}(…)` for a value that is computed",
        )
        return
    scope.diagnostics.report(
        "PPL016",
        name.span,
        f"there is no distribution `{name.text}`",
        distribution_hint(name.text)
        or (f"did you mean `{guess}`?" if guess else "the reference lists the distributions"),
    )


def _shaped(
    row: DistributionRow,
    call: nodes.Call,
    arguments: dict[str, Expression],
    spans: dict[str, Span],
    expressions: Expressions,
    scope: Scope,
) -> ResolvedDistribution | None:
    sizes: dict[str, Axis] = {}
    for name, argument in arguments.items():
        if row.parameter(name).constraint != "size":
            continue
        axis = axis_of(argument)
        if axis is None:
            scope.diagnostics.report(
                "PPL036",
                spans[name],
                f"`{name}` of {row.name} must be a dim or a whole number",
                f"it is called as `{row.signature}`",
            )
            return None
        sizes[name] = axis
    shapes = {n: a.type.event for n, a in arguments.items() if n not in sizes}
    left: tuple[Axis, ...] = ()
    try:
        own = row.event(shapes, sizes)
        letters = row.axes(shapes, sizes)
        for name, shape in shapes.items():
            rank = row.parameter(name).event_rank
            left = expressions.sizes.join(left, shape[: len(shape) - rank])
    except ValueError as problem:
        scope.diagnostics.report(
            "PPL036", call.span, str(problem), f"it is called as `{row.signature}`"
        )
        return None
    except ShapeProblem as problem:
        scope.diagnostics.report("PPL036", call.span, problem.message, problem.remedy)
        return None
    known = {
        letter: expressions.sizes.literal.get(axis) if isinstance(axis, str) else axis
        for letter, axis in letters.items()
    }
    literals = {
        **{
            p.name: p.default
            for p in row.parameters
            if p.default is not None and p.name not in arguments
        },
        **{n: float(a.value) for n, a in arguments.items() if isinstance(a, Constant)},
        **{letter: float(size) for letter, size in known.items() if size is not None},
    }
    return ResolvedDistribution(
        row=row,
        distribution=Distribution(
            name=row.name, arguments=arguments, positional=len(call.arguments)
        ),
        spans=spans,
        own=own,
        left=left,
        support=row.support.at(literals),
        index_of=None if row.index_of is None else letters[row.index_of],
        random=any(argument.type.random for argument in arguments.values()),
    )


# --- what arguments may be --------------------------------------------------------------------


def _arguments_fit(
    row: DistributionRow, arguments: dict[str, Expression], spans: dict[str, Span], scope: Scope
) -> bool:
    fits = True
    for name, argument in arguments.items():
        parameter = row.parameter(name)
        wrong = violation(argument, parameter)
        if wrong is not None:
            message, remedy = wrong
            scope.diagnostics.report(
                "PPL031", spans[name], f"`{name}` of {row.name} {message}", remedy
            )
            fits = False
    if row.in_order is not None:
        low, high = (arguments.get(name) for name in row.in_order)
        if (
            isinstance(low, Constant)
            and isinstance(high, Constant)
            and float(low.value) >= float(high.value)
        ):
            scope.diagnostics.report(
                "PPL034",
                spans[row.in_order[1]],
                f"`{row.in_order[0]}` of {row.name} must be below `{row.in_order[1]}`",
                "write the smaller bound first",
            )
            fits = False
    return fits


_INTERVALS: dict[str, tuple[float | None, bool, float | None, str]] = {
    "positive": (0.0, True, None, "must be positive"),
    "nonnegative": (0.0, False, None, "must not be negative"),
    "unit_interval": (0.0, False, 1.0, "must lie in 0 .. 1"),
    "half_open_unit_interval": (0.0, False, 1.0, "must lie in 0 .. 1"),
    "signed_unit_interval": (-1.0, False, 1.0, "must lie in -1 .. 1"),
    "stability": (0.0, True, 2.0, "must lie in 0 .. 2"),
    "nonnegative_integer": (0.0, False, None, "must not be negative"),
    "positive_integer": (1.0, False, None, "must be at least 1"),
}


def violation(argument: Expression, parameter: Parameter) -> tuple[str, str] | None:
    """Return how an argument breaks its parameter's constraint (message, remedy), or None.

    What is known for certain is refused: a literal, a site or a variable whose support goes
    beyond the constraint, a computed value that lies wholly outside. Other computed values pass:
    only the run can tell.
    """
    constraint = parameter.constraint
    support = argument.type.support
    if constraint in ("simplex", "ordered", "lower_cholesky", "positive_definite"):
        return _form_violation(argument, constraint)
    if "integer" in constraint and argument.type.element == "real":
        return "must be a whole number", "declare the data as `int`, or round it"
    if constraint not in _INTERVALS:
        return None
    low, strict, high, words = _INTERVALS[constraint]
    beyond = (
        low is not None
        and support.upper is not None
        and (support.upper < low or (strict and support.upper == low))
    ) or (high is not None and support.lower is not None and support.lower > high)
    if beyond:
        value = support.lower if support.lower == support.upper else None
        return words + (f", but is {value:g}" if value is not None else ""), "check the argument"
    if isinstance(argument, Items):
        found = (violation(item, parameter) for item in argument.items)
        return next((wrong for wrong in found if wrong is not None), None)
    if not isinstance(argument, Reference) or argument.kind not in ("data", "site"):
        return None
    if support.open_bounds or support.kind not in ("real", "integer", "ordered"):
        return None
    too_low = low is not None and (support.lower is None or support.lower < low)
    too_high = high is not None and (support.upper is None or support.upper > high)
    if not too_low and not too_high:
        return None
    return f"{words}, but `{argument.name}` need not be", _support_remedy(argument, words, high)


def _support_remedy(argument: Reference, words: str, high: float | None) -> str:
    if argument.kind == "data":
        declared = argument.type.element
        if high is None:
            sign = "> 0" if "positive" in words else ">= 1" if "least 1" in words else ">= 0"
            return f"declare `{argument.name} : {declared} {sign}` in the data block"
        return f"declare `{argument.name} : real in 0 .. 1` in the data block"
    if high is None:
        return f"give `{argument.name}` a positive prior such as HalfNormal, or write exp(…)"
    return f"write sigmoid({argument.name}), or use `logits = {argument.name}`"


def _form_violation(argument: Expression, constraint: str) -> tuple[str, str] | None:
    words = {"lower_cholesky": "lower Cholesky factor"}.get(constraint)
    words = words or constraint.replace("_", " ")
    kinds = {
        "simplex": ("simplex",),
        "ordered": ("ordered", "positive_ordered"),
        "lower_cholesky": ("lower_cholesky", "corr_cholesky"),
        "positive_definite": ("positive_definite", "corr_matrix"),
    }[constraint]
    if isinstance(argument, Items) and all(isinstance(i, Constant) for i in argument.items):
        values = [float(item.value) for item in argument.items if isinstance(item, Constant)]
        if constraint == "simplex" and (min(values) < 0 or abs(sum(values) - 1) > 1e-6):
            return "must be a simplex, but its entries do not sum to 1", "make them sum to 1"
        if constraint == "ordered" and values != sorted(set(values)):
            return "must increase", "sort the entries"
        return None
    known = isinstance(argument, Reference) and argument.kind == "site"
    if not known or argument.type.support.kind in kinds:
        return None
    help_words = {
        "simplex": "draw it from a Dirichlet, or write softmax(…)",
        "ordered": "declare it ordered: `c[k] : ordered ~ …`",
        "lower_cholesky": "draw it from LKJCholesky, or write cholesky(…)",
        "positive_definite": "build it from a Cholesky factor: `L @ transpose(L)`",
    }[constraint]
    name = argument.name if isinstance(argument, Reference) else "it"
    article = "an" if words[0] in "aeio" else "a"
    return f"must be {article} {words}, but `{name}` need not be", help_words
