"""Resolves `place(dim)`: which entry of its dim an entry is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.ir import Apply, Expression, Reference, Support, ValueType
from compiler.resolve.scope import Scope
from compiler.tables.function_row import FunctionRow
from grammar import nodes

if TYPE_CHECKING:
    from compiler.resolve.expressions import Expressions


def resolve_place(
    expressions: Expressions, row: FunctionRow, call: nodes.Call, scope: Scope
) -> Expression | None:
    """Return 0, 1, 2, … over a dim; the single number of each entry inside the dim's plate."""
    (argument,) = call.arguments
    size = expressions.resolve(argument, scope)
    if size is None:
        return None
    if not isinstance(size, Reference) or size.kind != "size":
        scope.diagnostics.report(
            "PPL026",
            argument.span,
            f"`{row.name}` takes the name of a dim",
            "write `place(obs)`: 0, 1, 2, … for the entries of `obs`",
        )
        return None
    inside = size.name in scope.plates
    return Apply(
        function=row.name,
        arguments=(size,),
        type=ValueType(
            element="int",
            batch=(size.name,) if inside else (),
            event=() if inside else (size.name,),
            support=Support(kind="integer", lower=0.0),
        ),
    )
