"""Resolves `ode(f, z0, t0, ts, *arguments, method = …, steps = …)`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.diagnostics import did_you_mean
from compiler.ir import Apply, Constant, Expression, Reference, ValueType
from compiler.ir.axes import shown
from compiler.ir.types import Axis
from compiler.resolve.constants import A_COUNT, constant, count, number
from compiler.resolve.scope import Scope
from compiler.tables.function_row import FunctionRow
from compiler.tables.ode_methods import METHODS, STEPS
from grammar import nodes
from grammar.span import Span

if TYPE_CHECKING:  # it resolves calls of `ode`
    from compiler.resolve.expressions import Expressions

_SHAPE = "write `ode(f, z0, t0, ts)`, with `def f(t, z) = […]` above the model"


def resolve_ode(
    expressions: Expressions, row: FunctionRow, call: nodes.Call, scope: Scope
) -> Expression | None:
    """Return the typed solution; None where something is wrong, once told."""
    options = _options(call, scope)
    name = _function(call.arguments[0], scope)
    resolved = [expressions.resolve(argument, scope) for argument in call.arguments[1:]]
    values = [value for value in resolved if value is not None]
    if options is None or name is None or len(values) < len(resolved):
        return None
    if not _fits(call, values, scope):
        return None
    state, _, times, *_ = values
    instance = _derivative(expressions, name, call, values, scope)
    if instance is None:
        return None
    if "method" not in options and "steps" not in options and not _is_read_before(values[1:3]):
        # Only times that are data as they stand can be read while a step is recorded.
        options["steps"] = number(STEPS)
    types = [value.type for value in values]
    return Apply(
        function=row.name,
        arguments=(_text(instance), *values),
        options=options,
        type=ValueType(
            element="real",
            batch=tuple(plate for plate in scope.plates if any(plate in t.batch for t in types)),
            event=(*times.type.event, *state.type.event),
            random=any(t.random for t in types),
        ),
    )


def _function(expr: nodes.Expr, scope: Scope) -> nodes.Name | None:
    """Return the name of the derivative."""
    if isinstance(expr, nodes.Variable):
        symbol = scope.symbols.get(expr.name.text)
        if symbol is None or symbol.kind == "function":
            found = scope.look_up(expr.name, ("function",))
            return expr.name if found is not None and not found.failed else None
    scope.diagnostics.report(
        "PPL018", expr.span, "the first argument of `ode` is the name of a function", _SHAPE
    )
    return None


def _fits(call: nodes.Call, values: list[Expression], scope: Scope) -> bool:
    """Tell whether state, start and times have the shapes that they must, and are data."""
    spans = [argument.span for argument in call.arguments[1:]]
    wanted = (
        ("z0", (0, 1), "a number or a vector, the state at t0"),
        ("t0", (0,), "a single number, the time of the state z0"),
        ("ts", (1,), "a vector of times"),
    )
    fine = True
    for value, span, (name, ranks, words) in zip(values, spans, wanted, strict=False):
        if len(value.type.event) not in ranks:
            scope.diagnostics.report(
                "PPL026",
                span,
                f"`{name}` of `ode` is {words}, but here are {shown(value.type.event)}",
                "inside a plate a value is that of the plate's one entry"
                if name == "ts"
                else _SHAPE,
            )
            fine = False
        elif name != "z0" and value.type.random:
            scope.diagnostics.report(
                "PPL041",
                span,
                f"`{name}` of `ode` depends on latents, but times must be data",
                "give the latent to the function, and let it change the time there",
            )
            fine = False
    return fine


def _derivative(
    expressions: Expressions,
    name: nodes.Name,
    call: nodes.Call,
    values: list[Expression],
    scope: Scope,
) -> str | None:
    """Return the instance of the function for these arguments, seen from outside all plates."""
    state, _, _, *arguments = values
    given = (
        _parameter((), call.span),
        _parameter(state.type.event, call.span),
        *(_parameter(value.type.event, call.span) for value in arguments),
    )
    as_called = nodes.Call(name, call.arguments[:1] * len(given), (), call.span)
    invoked = expressions.invoke(as_called, given, replace(scope, plates={}), imposed=2)
    if invoked is None:
        return None
    slopes = invoked.type.event
    if expressions.sizes.unify_all(slopes, state.type.event) is None:
        scope.diagnostics.report(
            "PPL020",
            call.arguments[0].span,
            f"`{name.text}` returns {shown(slopes)}, but the state has {shown(state.type.event)}",
            "return the derivative of each entry of the state, in their order",
        )
        return None
    return invoked.function


def _parameter(event: tuple[Axis, ...], span: Span) -> Reference:
    """Return what the function is called with: it has other solutions on its left."""
    value = ValueType(element="real", event=event, random=True)
    return Reference(name="z", kind="parameter", event=event, type=value)


def _is_read_before(times: list[Expression]) -> bool:
    return all(
        isinstance(value, Constant)
        or (
            isinstance(value, Reference)
            and value.kind in ("data", "derived")
            and not value.type.batch
        )
        for value in times
    )


# --- options ------------------------------------------------------------------------------------


def _options(call: nodes.Call, scope: Scope) -> dict[str, Expression] | None:
    found: dict[str, Expression] = {}
    method = "rk4"
    fine = True
    for keyword in call.keywords:
        name, problem = keyword.name.text, None
        if name == "method":
            problem = _method_problem(keyword.value)
            if problem is None and isinstance(keyword.value, nodes.String):
                method = keyword.value.value
                found[name] = _text(method)
        elif name in ("steps", "rtol", "atol"):
            value = count(keyword.value) if name == "steps" else constant(keyword.value)
            if value is None or value <= 0:
                kind = A_COUNT if name == "steps" else "a positive number"
                problem = (f"`{name}` of `ode` is {kind}", f"write `{name} = {_EXAMPLES[name]}`")
            else:
                found[name] = number(value)
        else:
            problem = (
                f"`ode` has no option `{name}`",
                "its options are `method`, `steps`, `rtol` and `atol`",
            )
        if problem is not None:
            scope.diagnostics.report("PPL027", keyword.span, *problem)
            fine = False
    if fine:
        fine = _go_with(method, call, scope)
    return found if fine else None


_EXAMPLES = {"steps": "50", "rtol": "1e-6", "atol": "1e-8"}


def _method_problem(value: nodes.Expr) -> tuple[str, str] | None:
    names = ", ".join(f'"{name}"' for name in METHODS)
    if not isinstance(value, nodes.String):
        return "`method` of `ode` is a text", f"write one of {names}"
    if value.value in METHODS:
        return None
    guess = did_you_mean(value.value, METHODS)
    remedy = f'did you mean "{guess}"?' if guess else f"write one of {names}"
    return f'there is no method "{value.value}"', remedy


def _go_with(method: str, call: nodes.Call, scope: Scope) -> bool:
    """Tell whether the options go with the method."""
    allowed = ("method", *METHODS[method].options)
    for keyword in call.keywords:
        name = keyword.name.text
        if name not in allowed:
            others = [row.name for row in METHODS.values() if name in row.options]
            scope.diagnostics.report(
                "PPL027",
                keyword.span,
                f'method "{method}" does not take `{name}`',
                f'take it away, or write `method = "{others[0]}"`',
            )
            return False
    return True


def _text(value: str) -> Constant:
    return Constant(value=value, type=ValueType(element="text"))
