"""Emits calls of `autoguide_core.functions`: covariances and solutions of equations."""

from __future__ import annotations

from collections.abc import Callable

from compiler.emit.imports import Import
from compiler.emit.place import Place
from compiler.emit.python import call, method
from compiler.ir import Apply, Constant, Expression
from compiler.tables.function_row import FunctionRow
from compiler.tables.reserved import python_name

Emit = Callable[[Expression, Place], str]


def emit_covariance(
    row: FunctionRow,
    expr: Apply,
    place: Place,
    emit: Emit,
    is_plain: Callable[[Expression], bool],
) -> str:
    """Return a call on inputs that have an axis of features, with a length that has one, too."""
    x, *numbers = expr.arguments
    other = numbers.pop(0) if numbers[0].type.event else None
    codes = [_with_features(x, place, emit)]
    for name, value in zip(row.parameters[2:], numbers, strict=True):
        code = emit(value, place)
        needs_axis = name == "length" and not value.type.event and not is_plain(value)
        codes.append(method(code, "unsqueeze(-1)") if needs_axis else code)
    if other is not None:
        codes.append(f"other={_with_features(other, place, emit)}")
    return row.template.replace("{items}", ", ".join(codes))


def _with_features(inputs: Expression, place: Place, emit: Emit) -> str:
    code = emit(inputs, place)
    return method(code, "unsqueeze(-1)") if len(inputs.type.event) == 1 else code


def emit_ode(row: FunctionRow, expr: Apply, place: Place, tensor: Emit, emit: Emit) -> str:
    """Return a call that solves an equation; its arguments are tensors, but for the start."""
    function, state, start, *others = expr.arguments
    assert isinstance(function, Constant)
    values = [state, *others[1:]]
    codes = [
        _derivative(str(function.value), place),
        tensor(state, place),
        emit(start, place),
        *(tensor(other, place) for other in others),
    ]
    ranks = ", ".join(str(len(value.type.event)) for value in values)
    options = {
        name: repr(value.value)
        for name, value in expr.options.items()
        if isinstance(value, Constant)
    }
    event_dims = f"({ranks},)" if len(values) == 1 else f"({ranks})"
    return call("odes.solve", *codes, event_dims=event_dims, **options)


def emit_interpolate(row: FunctionRow, expr: Apply, place: Place, tensor: Emit) -> str:
    """Return a call on a table that has an axis of size one for each of those of `t`."""
    at, *table = expr.arguments
    codes = [tensor(at, place)]
    for column in table:
        code = tensor(column, place)
        if column.type.random or column.type.batch:
            for _ in at.type.event:
                code = method(code, "unsqueeze(-2)")
        codes.append(code)
    return row.template.replace("{items}", ", ".join(codes))


def emit_basis(row: FunctionRow, expr: Apply, place: Place, emit: Emit) -> str:
    """Return a call on data, with the number of functions."""
    codes = [emit(argument, place) for argument in expr.arguments]
    return row.template.replace("{items}", ", ".join(codes))


def _derivative(name: str, place: Place) -> str:
    place.needs.names.add(name)
    sizes = [f"{parameter}={size}" for parameter, size in place.sizes_for(name)]
    if not sizes:
        return python_name(name)
    place.needs.imports.add(Import("functools", "partial"))
    return f"partial({python_name(name)}, {', '.join(sizes)})"
