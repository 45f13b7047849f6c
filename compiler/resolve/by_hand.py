"""Tells of indices written where a plate or a `recur` picks the entry by itself."""

from __future__ import annotations

from compiler.resolve.constants import whole_number
from compiler.resolve.scope import Scope
from grammar import nodes


def tell_index_by_hand(expr: nodes.Index, scope: Scope) -> bool:
    """Tell of `x[obs]` inside `plate obs`, and of `x[time - 1]` or `x[-1]` inside `recur time`.

    Returns:
        Whether there was something to tell.
    """
    if not isinstance(expr.base, nodes.Variable):
        return False
    name = expr.base.name.text
    symbol = scope.symbols.get(name) or scope.foreseen.get(name)
    if symbol is None:
        return False
    axes = (*symbol.type.batch, *symbol.type.event)
    first = expr.indices[0]
    steps = _steps_before(first, scope)
    if steps is not None and scope.recur in axes:
        single = all(axis in scope.plates for axis in axes)
        if single or not isinstance(first, nodes.Number | nodes.Unary):
            symbol.used = True
            _tell_step(expr, name, steps, scope)
            return True
    for index in expr.indices:
        if not isinstance(index, nodes.Variable):
            continue
        plate = index.name.text
        if plate in scope.plates and plate in axes:
            symbol.used = True
            scope.diagnostics.report(
                "PPL023",
                expr.span,
                f"inside plate `{plate}`, `{name}` is that of one `{plate}` already",
                f"write `{name}`, without the index",
            )
            return True
    return False


def _steps_before(index: nodes.Expr | nodes.Slice, scope: Scope) -> int | None:
    """Return 1 for `time - 1` or `-1` in `recur time`; None for what is no earlier step."""
    match index:
        case nodes.Binary(operator="-", left=nodes.Variable(name=left), right=right) if (
            scope.recur is not None and (left.text == scope.recur or left.text not in scope.symbols)
        ):
            steps = whole_number(right)
        case nodes.Slice():
            return None
        case _:
            place = whole_number(index)
            steps = None if place is None or scope.recur is None else -place
    return steps if steps is not None and steps > 0 else None


def _tell_step(expr: nodes.Index, name: str, steps: int, scope: Scope) -> None:
    earlier = f"prev({name})" if steps == 1 else f"prev({name}, {steps})"
    scope.diagnostics.report(
        "PPL023",
        expr.span,
        f"inside `recur {scope.recur}`, `{name}` is that of the present step; no index leads to "
        "another",
        f"write `{earlier}`",
    )
