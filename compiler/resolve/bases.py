"""Resolves `bspline(x, dim, of)`: a basis of functions, as many as a dim has entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.ir import Apply, Expression, ValueType
from compiler.ir.axes import shown
from compiler.resolve.scope import Scope
from compiler.tables.function_row import UNIT, FunctionRow
from grammar import nodes

if TYPE_CHECKING:  # it resolves calls of bases
    from compiler.resolve.expressions import Expressions


def resolve_basis(
    expressions: Expressions, row: FunctionRow, call: nodes.Call, scope: Scope
) -> Expression | None:
    """Return the typed matrix [x, dim]; None where something is wrong, once told."""
    from compiler.resolve.expressions import axis_of

    resolved = [expressions.resolve(argument, scope) for argument in call.arguments]
    values = [value for value in resolved if value is not None]
    if len(values) < len(resolved):
        return None
    x, size, *of = values
    axis = axis_of(size)
    if axis is None:
        scope.diagnostics.report(
            "PPL026",
            call.arguments[1].span,
            f"`{row.name}` takes the dim of its splines, or their number, in the second place",
            f"declare `dim basis = 8` and write `{row.name}(x, basis)`",
        )
        return None
    for value, node in zip((x, *of), (call.arguments[0], *call.arguments[2:]), strict=True):
        if value.type.random or value.type.batch or len(value.type.event) != 1:
            random = value.type.random
            scope.diagnostics.report(
                "PPL041" if random else "PPL026",
                node.span,
                f"`{row.name}` takes a whole vector of data, "
                + ("and this depends on latents" if random else f"not {shown(value.type.event)}"),
                f"write it in the derive block: `derive {{ B = {row.name}(x, basis) }}`",
            )
            return None
    return Apply(
        function=row.name,
        arguments=tuple(values),
        type=ValueType(element="real", event=(*x.type.event, axis), support=UNIT),
    )
