"""Questions that several passes ask of a program: minibatched dims, drawn names, sizes of sites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

from compiler.ir.expressions import (
    Apply,
    Expression,
    Filled,
    IndexAt,
    Initially,
    Invoke,
    Items,
    Lag,
    Range,
    Reference,
)
from compiler.ir.program import Program, statements
from compiler.ir.statements import Assignment, Block, FactorTerm, PlateBlock, Recorded, Site
from compiler.ir.types import Axis


def minibatches(program: Program) -> dict[str, int]:
    """Return the minibatched dims of the model, each with how many entries a step draws."""
    return {
        statement.dim: statement.minibatch
        for statement in statements(program.model)
        if isinstance(statement, PlateBlock) and statement.minibatch is not None
    }


def plates_around(program: Program) -> dict[str, tuple[str, ...]]:
    """Return the plates around each named statement of the model, outermost first."""
    return dict(_plates_around(program.model, ()))


def _plates_around(block: Block, plates: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for statement in block:
        if isinstance(statement, PlateBlock):
            yield from _plates_around(statement.body, (*plates, statement.dim))
        else:
            yield statement.name, plates


def drawn_name(site: Site) -> str:
    """Return the name under which the emitted model draws the site."""
    return site.base_name or site.name


def known_size(program: Program, axis: Axis, sizes: Mapping[str, int] | None = None) -> int | None:
    """Return the size of an axis, or None where only the data tells it.

    Args:
        program: The program that declares the dims.
        axis: The axis.
        sizes: Sizes of dims that are known by now, over what the spec says.
    """
    if isinstance(axis, int):
        return axis
    if sizes and axis in sizes:
        return sizes[axis]
    return next((dim.size for dim in program.dims if dim.name == axis), None)


def unconstrained_size(
    program: Program, site: Site, sizes: Mapping[str, int] | None = None
) -> int | None:
    """Return how many unconstrained numbers a continuous site has over all its plates.

    A simplex of K entries has K - 1, a K x K correlation matrix K (K - 1) / 2. None where a size
    is not known.
    """
    known = [known_size(program, axis, sizes) for axis in (*site.plates, *site.event)]
    lengths = [size for size in known if size is not None]
    if len(lengths) < len(known):
        return None
    last = lengths[-1] if site.event else 1
    match site.support.kind:
        case "simplex":
            return prod(lengths[:-1]) * (last - 1)
        case "corr_cholesky" | "corr_matrix":
            return prod(lengths[:-2]) * (last * (last - 1) // 2)
        case "lower_cholesky" | "positive_definite":
            return prod(lengths[:-2]) * (last * (last + 1) // 2)
        case _:
            return prod(lengths)


def parts(expression: Expression | Range) -> tuple[Expression | Range, ...]:
    """Return the expressions directly inside one, from the left."""
    match expression:
        case Apply():
            return (*expression.arguments, *expression.options.values())
        case Invoke():
            return expression.arguments
        case Items():
            return expression.items
        case Filled():
            return (expression.data, expression.values)
        case IndexAt():
            return (expression.base, *expression.indices)
        case Lag():
            return (expression.base, *(e for e in (expression.default,) if e is not None))
        case Initially():
            return (expression.initial, expression.then)
        case _:
            return ()


def subexpressions(expression: Expression | Range) -> Iterator[Expression]:
    """Yield an expression and every one inside it, from the left."""
    if not isinstance(expression, Range):
        yield expression
    for part in parts(expression):
        yield from subexpressions(part)


def references(expression: Expression) -> Iterator[Reference]:
    """Yield every reference in an expression, from the left."""
    return (inner for inner in subexpressions(expression) if isinstance(inner, Reference))


def prerequisites(
    program: Program, expressions: Iterable[Expression], also: Iterable[str] = ()
) -> tuple[Site | Assignment | Recorded, ...]:
    """Return the statements whose values some expressions need, in the model's order.

    Assignments and recorded values are followed to what they use in turn; sites are not.

    Args:
        program: The program.
        expressions: Expressions of its model.
        also: Names of further statements to return, which are not followed.
    """
    defined = {
        statement.name: statement
        for statement in statements(program.model)
        if isinstance(statement, Site | Assignment | Recorded)
    }
    needed = set(also)
    pending = list(expressions)
    while pending:
        for reference in references(pending.pop()):
            statement = defined.get(reference.name)
            if statement is None or statement.name in needed:
                continue
            needed.add(statement.name)
            if not isinstance(statement, Site):
                pending.append(statement.value)
    return tuple(statement for name, statement in defined.items() if name in needed)


def values_of(statement: object) -> tuple[Expression, ...]:
    """Return the expressions that a statement of the model is made of, plates' bodies apart."""
    match statement:
        case Site():
            bounds = (bound for bound in (statement.lower, statement.upper) if bound is not None)
            first = {} if statement.initial is None else statement.initial.arguments
            return (
                *first.values(),
                *statement.distribution.arguments.values(),
                *bounds,
                *statement.censoring.values(),
                *([] if statement.completed is None else [statement.completed]),
            )
        case Assignment() | Recorded() | FactorTerm():
            return (statement.value,)
        case _:
            return ()
