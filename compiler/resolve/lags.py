"""Resolves `prev(x, steps, default)` and `lags(x, k)`: what a value was before, inside `recur`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.ir import Expression, Items, Lag, Reference
from compiler.ir.queries import references, subexpressions
from compiler.resolve.constants import A_COUNT, count
from compiler.resolve.scope import Scope, Symbol
from grammar import nodes
from grammar.span import Span

if TYPE_CHECKING:
    from compiler.resolve.expressions import Expressions

_CALLED = "write `prev(x)`, `prev(x, 2)` for two steps before, or `prev(x, 1, 0)` with a default"

_MOST_LAGS = 1_000
"""The emitted code has a line for each."""


def resolve_lags(expressions: Expressions, call: nodes.Call, scope: Scope) -> Expression | None:
    """Return the typed expression of a call of `prev` or `lags`; None where it is wrong, once told.

    They are in no table, as they mean nothing outside `recur`.
    """
    if scope.recur is None:
        scope.diagnostics.report(
            "PPL048",
            call.span,
            f"`{call.function.text}` means an earlier step, and there are no steps here",
            "write the statement inside `recur dim { … }`, with the dim of the steps",
        )
        return None
    return RESOLVERS[call.function.text](expressions, call, scope)


def _prev(expressions: Expressions, call: nodes.Call, scope: Scope) -> Expression | None:
    given = dict(zip(("x", "steps", "default"), call.arguments, strict=False))
    given |= {keyword.name.text: keyword.value for keyword in call.keywords}
    if (
        len(given) != len(call.arguments) + len(call.keywords)
        or "x" not in given
        or not given.keys() <= {"x", "steps", "default"}
    ):
        message = "`prev` takes a value, how many steps before, and what stands before the first"
        scope.diagnostics.report("PPL048", call.span, message, _CALLED)
        return None
    steps = count(given["steps"]) if "steps" in given else 1
    if steps is None:
        message = f"how many steps before must be {A_COUNT}"
        scope.diagnostics.report("PPL048", given["steps"].span, message, _CALLED)
        return None
    value = _earlier(expressions, given["x"], steps, scope)
    if "default" not in given or value is None:
        return value
    default = expressions.resolve(given["default"], scope)
    return None if default is None else _with_default(value, default, given["default"].span, scope)


def _lags(expressions: Expressions, call: nodes.Call, scope: Scope) -> Expression | None:
    """Return the vector of the values 1, 2, … steps before, over a dim of fixed size."""
    remedy = "write `lags(x, k)`, with `dim k = 5` in the data block, or `lags(x, 5)`"
    if call.keywords or len(call.arguments) != 2:
        message = "`lags` takes a value and a dim, or how many steps"
        scope.diagnostics.report("PPL048", call.span, message, remedy)
        return None
    x, dim = call.arguments
    number = count(dim)
    axis: str | int | None = number
    if isinstance(dim, nodes.Variable):
        symbol = scope.look_up(dim.name, ("dim",))
        if symbol is None:
            return None
        axis = dim.name.text if symbol.kind == "dim" else None
        number = expressions.sizes.literal.get(dim.name.text)
    if axis is None or number is None:
        message = "how many steps `lags` goes back has to be known before there is data"
        scope.diagnostics.report("PPL048", dim.span, message, remedy)
        return None
    if number > _MOST_LAGS:
        message = f"`lags` goes back {number} steps, and at most {_MOST_LAGS} are compiled"
        remedy = "write the steps that matter, each as `prev(x, steps)`"
        scope.diagnostics.report("PPL048", dim.span, message, remedy)
        return None
    found = [_earlier(expressions, x, steps, scope) for steps in range(1, number + 1)]
    items = tuple(item for item in found if item is not None)
    if len(items) < number:
        return None
    kind = items[0].type
    return Items(items=items, type=kind.model_copy(update={"event": (axis, *kind.event)}))


RESOLVERS: dict[str, Callable[[Expressions, nodes.Call, Scope], Expression | None]] = {
    "prev": _prev,
    "lags": _lags,
}
"""The functions that mean earlier steps."""


def _earlier(
    expressions: Expressions, x: nodes.Expr, steps: int, scope: Scope
) -> Expression | None:
    """Return an expression as it was some steps before."""
    value = expressions.resolve(x, replace(scope, lag=scope.lag + steps))
    if value is None or any(isinstance(part, Lag) for part in subexpressions(value)):
        return value
    if steps == 1 and any(one.kind == "states" for one in references(value)):
        return value
    message = f"this does not run over `{scope.recur}`, so that it has no earlier step"
    scope.diagnostics.report("PPL048", x.span, message, "take `prev` away")
    return None


def _with_default(
    value: Expression, default: Expression, span: Span, scope: Scope
) -> Expression | None:
    if isinstance(value, Lag) and value.default is None and not default.type.event:
        random = value.type.random or default.type.random
        kind = value.type.model_copy(update={"random": random})
        return value.model_copy(update={"default": default, "type": kind})
    scope.diagnostics.report(
        "PPL048",
        span,
        "a default stands in for the entries of one variable, and is a single number",
        "give what is computed here a name in a line of its own, or write `init … then …`",
    )
    return None


def earlier_step(name: nodes.Name, scope: Scope) -> Symbol | None:
    """Return what a name that the `recur` defines was at an earlier step, if that is meant."""
    symbol = scope.foreseen.get(name.text) if scope.lag else None
    if symbol is None or name.text in scope.symbols:
        return None
    symbol.used = True
    return symbol


def misread(symbol: Symbol, value: Reference, span: Span, scope: Scope) -> bool:
    """Tell of a read of a hidden chain, or of what depends on one, where it cannot be."""
    if symbol.name in scope.foreseen and symbol.name not in scope.symbols:
        return False  # a chain's own state before
    chains = {chain.name for chain in scope.of_kind("states")}
    tied = [axis for axis in value.type.event if axis in chains]
    if not tied or (scope.recur is not None and not scope.lag):
        return False
    message = f"the states of `{tied[0]}` are summed out in its `recur`, and not known outside"
    remedy = "read them in the `recur`, in the arguments of an observed site, or in `predict`"
    if scope.recur is not None:
        message = f"only `{tied[0]}` itself reads the state before"
        remedy = "let what is observed depend on the present state"
    scope.diagnostics.report("PPL055", span, message, remedy)
    return True


def as_lagged(value: Reference, scope: Scope) -> Expression:
    """Return a value as `prev` around it asks for."""
    if not scope.lag or scope.recur is None or scope.recur not in value.type.batch:
        return value
    return Lag(base=value, dim=scope.recur, steps=scope.lag, type=value.type)


def tell_unstarted(symbol: Symbol, span: Span, scope: Scope) -> None:
    """Tell that a value is used that has no first steps."""
    scope.diagnostics.report(
        "PPL049",
        span,
        f"nothing says what `{symbol.name}` is at the first "
        + ("step" if symbol.begin == 1 else f"{symbol.begin} steps"),
        f"write `{symbol.name} = init … then …`, or a default: `prev(x, 1, 0)`",
        [(f"`{symbol.name}` is defined here", symbol.span)],
    )
