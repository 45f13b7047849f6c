"""Emits earlier steps and first steps: over all steps at once, or for the one of a loop."""

from __future__ import annotations

from collections.abc import Callable

from compiler.emit.layout import align, met
from compiler.emit.place import Place
from compiler.emit.python import call, floating
from compiler.ir import Constant, Expression, Initially, Lag, Reference
from compiler.ir.types import Axis
from compiler.tables.reserved import python_name

Emit = Callable[[Expression, Place], str]


def emit_lag(expr: Lag, place: Place, emit: Emit) -> str:
    """Return the code of a value some steps before."""
    event = expr.type.event
    default = None if expr.default is None else _code(expr.default, event, place, emit)
    if place.step is not None:
        if isinstance(expr.default, Constant):
            default = f"torch.tensor({default})"
        step = f"{place.step_name} - {expr.steps}"
        code = _at(expr.base, emit(expr.base, place.whole()), step, place)
        return (
            code
            if default is None
            else (f"({code} if {place.step_name} >= {expr.steps} else {default})")
        )
    code = emit(expr.base, place)
    positional = [code]
    if expr.steps != 1 or default is not None:
        positional.append(str(expr.steps))
    if default is not None:
        positional.append(default)
    return call("sequences.previous", *positional, **_axis(expr.dim, event, place))


def at_present(expr: Reference, code: str, place: Place) -> str:
    """Return the code of a value at the step of a loop, if the place is in one."""
    if place.step is None or place.step not in expr.type.batch:
        return code
    return _at(expr, code, place.step_name, place)


def _at(expr: Reference, code: str, step: str, place: Place) -> str:
    if expr.name in place.listed:
        return f"{python_name(expr.name)}[{step}]"
    assert place.step is not None
    return call("sequences.at_step", code, step, **_axis(place.step, expr.type.event, place))


def emit_initially(expr: Initially, place: Place, emit: Emit) -> str:
    """Return the code of a value over all steps, the first ones included."""
    event = met((expr.initial.type, expr.then.type), place)
    parts = [_code(part, event, place, emit) for part in (expr.initial, expr.then)]
    place.needs.names.add(expr.dim)
    named = {} if expr.steps == 1 else {"steps": str(expr.steps)}
    named |= _axis(expr.dim, event, place)
    return call("sequences.initially", *parts, python_name(expr.dim), **named)


def _code(expr: Expression, event: tuple[Axis, ...], place: Place, emit: Emit) -> str:
    if isinstance(expr, Constant) and not isinstance(expr.value, str):
        return floating(expr.value)
    return align(emit(expr, place), expr.type, event, place)


def _axis(dim: str, event: tuple[Axis, ...], place: Place) -> dict[str, str]:
    """Return the argument that tells which axis the steps are, where it is not the last one."""
    axis = place.numbers[dim] - len(event)
    return {} if axis == -1 else {"dim": str(axis)}
