"""Emits expressions: IR to the text of a Python expression on tensors, as `layout` lays them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compiler.emit.imports import Import
from compiler.emit.indexing import emit_index
from compiler.emit.lags import at_present, emit_initially, emit_lag
from compiler.emit.layout import align, met, size_code, to_plate, view_array, view_data, view_stored
from compiler.emit.library import emit_basis, emit_covariance, emit_interpolate, emit_ode
from compiler.emit.place import Place
from compiler.emit.python import COMPARE, at_least, binary, fill_template, floating, method
from compiler.ir import (
    Apply,
    Constant,
    Expression,
    Filled,
    Initially,
    Invoke,
    Items,
    Lag,
    Reference,
)
from compiler.ir import IndexAt as _IndexAt
from compiler.ir.types import Axis
from compiler.tables.function_row import FunctionRow, ShapeRule
from compiler.tables.functions import FUNCTIONS, OPERATORS
from compiler.tables.reserved import python_name


def emit(expr: Expression, place: Place) -> str:
    """Return the code of an expression."""
    match expr:
        case Constant(value=value):
            return repr(value)
        case Reference():
            return at_present(expr, _reference(expr, place), place)
        case Lag():
            return emit_lag(expr, place, emit)
        case Initially():
            return emit_initially(expr, place, emit)
        case Items():
            return _items(expr, place)
        case _IndexAt():
            return emit_index(expr, place, emit)
        case Invoke(function=name, arguments=arguments):
            place.needs.names.add(name)
            sizes = (size for _, size in place.sizes_for(name))
            codes = [*(tensor(a, place) for a in arguments), *sizes]
            return f"{python_name(name)}({', '.join(codes)})"
        case Filled():
            return _filled_gaps(expr, place)
        case Apply():
            row = OPERATORS.get(expr.function) or FUNCTIONS[expr.function]
            return _EMITTERS.get(row.shape, _plain)(row, expr, place)


def is_number(expr: Expression) -> bool:
    """Tell whether the emitted expression is a plain Python number, not a tensor."""
    match expr:
        case Constant():
            return True
        case Reference(kind=kind):
            return kind == "size"
        case Apply(function=name, arguments=arguments):
            row = OPERATORS.get(name) or FUNCTIONS[name]
            return row.scalar is not None and all(map(is_number, arguments))
        case _:
            return False


def tensor(expr: Expression, place: Place) -> str:
    """Return the code of an expression as a tensor of floats, a plain number made one."""
    if isinstance(expr, Constant) and not isinstance(expr.value, str):
        return f"torch.tensor({floating(expr.value)})"
    if is_number(expr):
        return f"torch.tensor(float({emit(expr, place)}))"
    return numeric(expr, place)


def numeric(expr: Expression, place: Place) -> str:
    """Return the code of an expression, a condition turned into 0.0 and 1.0."""
    code = emit(expr, place)
    return binary("*", "1.0", code) if is_condition(expr) else code


def is_condition(expr: Expression) -> bool:
    """Tell whether the emitted expression is a bool; data and recorded values are floats."""
    match expr:
        case Constant(value=value):
            return isinstance(value, bool)
        case Reference(kind=kind):
            return kind == "local" and expr.type.element == "bool"
        case _IndexAt(base=base):
            return is_condition(base)
        case Apply(function=name):
            return (OPERATORS.get(name) or FUNCTIONS[name]).element == "bool"
        case _:
            return False


def named(expr: Expression, place: Place) -> str:
    """Return the code of an expression that gets a name in the same function: always a tensor."""
    if is_number(expr) and is_condition(expr):
        return f"torch.tensor({emit(expr, place)})"
    return emit(expr, place) if is_condition(expr) else tensor(expr, place)


def condition(expr: Expression, place: Place) -> str:
    """Return the code of an expression as a condition, a number being one unless it is zero."""
    code = emit(expr, place)
    if is_condition(expr):
        return code
    return binary("!=", code, "0") if is_number(expr) else method(code, "bool()")


def aligned(expr: Expression, result: tuple[Axis, ...], place: Place) -> str:
    """Return the code of an expression that broadcasts to the event axes `result`."""
    return align(emit(expr, place), expr.type, result, place)


def _reference(expr: Reference, place: Place) -> str:
    if expr.kind == "size":
        return place.size(expr.name)
    place.needs.names.add(expr.name)
    if expr.kind in ("data", "derived"):
        return view_data(expr.name, (*expr.plates, *expr.event), place)
    if expr.kind == "states":
        place.needs.names.discard(expr.name)
        return f"torch.arange({size_code(expr.type.index_of, place)})"
    return view_stored(python_name(expr.name), expr.plates, expr.event, expr.type.random, place)


def _filled_gaps(expr: Filled, place: Place) -> str:
    place.needs.names.add(expr.data.name)
    if expr.values.event:  # one value for each gap
        place.needs.names.add(expr.values.name)
        place.needs.imports.add(Import("autoguide_core.gaps", "fill_gaps"))
        code = f"fill_gaps({python_name(expr.data.name)}, {python_name(expr.values.name)})"
        return view_stored(code, (), expr.data.event, True, place)
    place.needs.imports.add(Import("autoguide_core.gaps", "is_gap"))
    data, values = emit(expr.data, place), emit(expr.values, place)
    return f"torch.where(is_gap({data}), {values}, {data})"


# --- lists ------------------------------------------------------------------------------------


def literal(expr: Expression, whole: bool = False) -> str | None:
    """Return a list of constants as Python text, or None if something in it is not constant."""
    if isinstance(expr, Constant) and not isinstance(expr.value, str):
        return repr(expr.value) if whole else floating(expr.value)
    if isinstance(expr, Items):
        parts = [literal(item, whole) for item in expr.items]
        return None if None in parts else f"[{', '.join(p for p in parts if p is not None)}]"
    return None


def _items(expr: Items, place: Place) -> str:
    text = literal(expr)
    if text is not None:
        return f"torch.tensor({text})"
    rank = len(expr.type.event) - 1
    return stack([tensor(item, place) for item in expr.items], expr.items, -1 - rank, place)


def stack(codes: Sequence[str], exprs: Sequence[Expression], axis: int, place: Place) -> str:
    """Return the code that stacks values on a new axis, broadcast first where they differ."""
    inner = ", ".join(codes)
    if len({e.type.event for e in exprs}) == 1 and same_left(exprs, place):
        return f"torch.stack([{inner}], {axis})"
    return f"torch.stack(torch.broadcast_tensors({inner}), {axis})"


def same_left(exprs: Sequence[Expression], place: Place) -> bool:
    """Tell whether values are certain to have the same dims on the left of their event axes."""
    kinds = {(e.type.batch, e.type.random, is_number(e)) for e in exprs}
    return len(exprs) == 1 or (len(kinds) == 1 and not (place.uneven and _varying(exprs[0])))


def _varying(expr: Expression) -> bool:
    return bool(expr.type.random or expr.type.batch)


# --- operators and functions ------------------------------------------------------------------


def _elementwise(row: FunctionRow, expr: Apply, place: Place) -> str:
    arguments = expr.arguments
    if row.scalar is not None and is_number(expr):
        if row.scalar.startswith("math."):
            place.needs.imports.add(Import("math"))
        conditions = _CONDITIONS.get(row.name, 0)
        numbers = [condition(a, place) for a in arguments[:conditions]]
        numbers += [emit(a, place) for a in arguments[conditions:]]
        if row.name in OPERATORS and len(numbers) == 2 and not conditions:
            return binary(row.name, *numbers)
        return fill_template(row.scalar, numbers)
    if row.name == "if" and is_number(arguments[0]):
        codes = [condition(arguments[0], place), *(tensor(a, place) for a in arguments[1:])]
        test, then, otherwise = (at_least(code, COMPARE) for code in codes)
        return f"{then} if {test} else {otherwise}"
    if row.name in OPERATORS and row.name != "//":  # which is a function of torch
        return _operation(row, expr, place)
    mixed = row.name != "clip" or not all(map(is_number, arguments[1:]))
    codes = [
        align(
            tensor(a, place) if mixed or not is_number(a) else floating_code(a, place),
            a.type,
            met((a.type for a in arguments), place),
            place,
        )
        for a in arguments
    ]
    return fill_template(row.template, codes)


def _operation(row: FunctionRow, expr: Apply, place: Place) -> str:
    arguments = expr.arguments
    conditions = _CONDITIONS.get(row.name, 0)
    event = met((a.type for a in arguments), place)
    # A bool goes with a tensor of floats in these alone; elsewhere it has to be 0.0 or 1.0.
    mixed = row.name in ("+", "*") and not all(is_condition(a) or is_number(a) for a in arguments)
    codes: list[str] = []
    for position, argument in enumerate(arguments):
        if position < conditions:
            code = condition(argument, place)
        elif row.name == "if" and is_number(argument):
            code = floating_code(argument, place)
        else:
            code = (emit if mixed else numeric)(argument, place)
        codes.append(align(code, argument.type, event, place))
    if len(codes) == 2:
        return binary(_SIGNS.get(row.name, row.name), *codes)
    return fill_template(row.template, codes)


_SIGNS = {"and": "&", "or": "|"}
_CONDITIONS = {"and": 2, "or": 2, "not": 1, "if": 1}
"""How many of an operator's first arguments are conditions."""


def floating_code(expr: Expression, place: Place) -> str:
    """Return the code of a plain number, a literal written as a float."""
    if isinstance(expr, Constant) and not isinstance(expr.value, str):
        return floating(expr.value)
    return emit(expr, place)


def _reduce(row: FunctionRow, expr: Apply, place: Place) -> str:
    (argument,) = expr.arguments
    code = (emit if row.element == "bool" else numeric)(argument, place)
    option = expr.options.get("axis")
    rank = len(argument.type.event)
    if isinstance(option, Constant):
        axes = str(option.value)
    elif rank == 1:
        axes = "-1"
    elif row.name in ("prod", "median"):
        code, axes = method(code, f"flatten({-rank})"), "-1"
    else:
        axes = f"({', '.join(str(i) for i in range(-rank, 0))})"
    return fill_template(row.template.replace("{axes}", axes), [code])


def _dot(row: FunctionRow, expr: Apply, place: Place) -> str:
    x, y = expr.arguments
    for rows, vector in ((x, y), (y, x)):
        if _is_design(rows, place) and not vector.type.batch and len(vector.type.event) == 1:
            # A matrix product over the whole plate: no (obs × pred) product in between.
            return to_plate(
                binary("@", emit(vector, place), method(emit(rows, place), "mT")), -1, 0
            )
    left = place.sizes.join(x.type.event[:-1], y.type.event[:-1])
    event = (*left, x.type.event[-1])
    factors = [align(emit(factor, place), factor.type, event, place, last=1) for factor in (x, y)]
    return method(binary("*", *factors), "sum(-1)")


def _is_design(expr: Expression, place: Place) -> bool:
    """Tell whether an expression is rows of data, one for each entry of the innermost plate."""
    return (
        isinstance(expr, Reference)
        and expr.kind in ("data", "derived")
        and len(expr.type.event) == 1
        and len(expr.type.batch) == 1
        and place.numbers[expr.type.batch[0]] == -1
    )


def _matmul(row: FunctionRow, expr: Apply, place: Place) -> str:
    x, y = expr.arguments
    ranks = len(x.type.event), len(y.type.event)
    if ranks == (1, 1):
        return _dot(row, expr, place)
    left, right = emit(x, place), emit(y, place)
    if ranks == (2, 2):
        return binary("@", left, right)
    if ranks == (2, 1):
        if not x.type.batch and not x.type.random:
            return binary("@", right, method(left, "mT"))
        return f"({binary('@', left, method(right, 'unsqueeze(-1)'))}).squeeze(-1)"
    if not y.type.batch and not y.type.random:
        return binary("@", left, right)
    return f"({binary('@', method(left, 'unsqueeze(-2)'), right)}).squeeze(-2)"


def _outer(row: FunctionRow, expr: Apply, place: Place) -> str:
    x, y = (numeric(argument, place) for argument in expr.arguments)
    return binary("*", method(x, "unsqueeze(-1)"), method(y, "unsqueeze(-2)"))


def _solve(row: FunctionRow, expr: Apply, place: Place) -> str:
    a, b = expr.arguments
    left, right = emit(a, place), emit(b, place)
    if len(b.type.event) == 2:
        return fill_template(row.template, [left, right])
    solved = fill_template(row.template, [left, method(right, "unsqueeze(-1)")])
    return method(solved, "squeeze(-1)")


def _covariance(row: FunctionRow, expr: Apply, place: Place) -> str:
    return emit_covariance(row, expr, place, _number_or_tensor, is_number)


def _ode(row: FunctionRow, expr: Apply, place: Place) -> str:
    return emit_ode(row, expr, place, tensor, _number_or_tensor)


def _interpolate(row: FunctionRow, expr: Apply, place: Place) -> str:
    return emit_interpolate(row, expr, place, tensor)


def _basis(row: FunctionRow, expr: Apply, place: Place) -> str:
    return emit_basis(row, expr, place, emit)


def _number_or_tensor(expr: Expression, place: Place) -> str:
    return floating_code(expr, place) if is_number(expr) else numeric(expr, place)


def _add_diagonal(row: FunctionRow, expr: Apply, place: Place) -> str:
    matrix, diagonal = expr.arguments
    code = emit(matrix, place)
    if diagonal.type.event:
        return fill_template(row.template, [code, emit(diagonal, place)])
    eye = f"torch.eye({size_code(matrix.type.event[-1], place)})"
    return binary("+", code, binary("*", aligned(diagonal, expr.type.event, place), eye))


def _filled(row: FunctionRow, expr: Apply, place: Place) -> str:
    count = 1 if row.name == "fill" else 0
    sizes = [emit(size, place) for size in expr.arguments[count:]]
    if row.name != "fill":
        return row.template.replace("{shape}", ", ".join(sizes))
    value = expr.arguments[0]
    if not is_number(value):
        return binary(
            "*", aligned(value, expr.type.event, place), f"torch.ones({', '.join(sizes)})"
        )
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    return row.template.replace("{shape}", shape).replace("{0}", floating_code(value, place))


def _place(row: FunctionRow, expr: Apply, place: Place) -> str:
    (size,) = expr.arguments
    assert isinstance(size, Reference)
    if size.name == place.step:
        return f"torch.tensor(float({place.step_name}))"
    return view_array(fill_template(row.template, [emit(size, place)]), (size.name,), place)


def _quantile(row: FunctionRow, expr: Apply, place: Place) -> str:
    x, q = expr.arguments
    code = fill_template(row.template, [emit(x, place), floating_code(q, place)])
    places_first = q.type.event and (x.type.batch or x.type.random)
    return method(code, "movedim(0, -1)") if places_first else code


def _columns(row: FunctionRow, expr: Apply, place: Place) -> str:
    inner = met((a.type for a in expr.arguments), place)
    codes = [align(tensor(a, place), a.type, inner, place) for a in expr.arguments]
    return stack(codes, expr.arguments, -1, place)


def _concatenate(row: FunctionRow, expr: Apply, place: Place) -> str:
    items = ", ".join(tensor(argument, place) for argument in expr.arguments)
    if same_left(expr.arguments, place):
        return row.template.replace("{items}", items)
    return f"concatenate({items})"


def _plain(row: FunctionRow, expr: Apply, place: Place) -> str:
    return fill_template(row.template, [numeric(a, place) for a in expr.arguments])


_EMITTERS: dict[ShapeRule, Callable[[FunctionRow, Apply, Place], str]] = {
    "elementwise": _elementwise,
    "reduce": _reduce,
    "dot": _dot,
    "matmul": _matmul,
    "outer": _outer,
    "solve": _solve,
    "covariance": _covariance,
    "ode": _ode,
    "interpolate": _interpolate,
    "basis": _basis,
    "add_diagonal": _add_diagonal,
    "filled": _filled,
    "identity": _filled,
    "place": _place,
    "quantile": _quantile,
    "columns": _columns,
    "concatenate": _concatenate,
}
"""How each shape rule is emitted; rules that are not here fill the row's template."""
