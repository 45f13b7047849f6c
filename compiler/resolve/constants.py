"""Evaluates what is a constant in the spec's text: sizes, bounds, options."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from compiler.ir import Apply, Constant, Expression, Support, ValueType
from compiler.tables.functions import FUNCTIONS, OPERATORS
from grammar import nodes

_TABLE = OPERATORS | FUNCTIONS
_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "//": operator.floordiv,
    "%": operator.mod,
}


def constant(expr: nodes.Expr) -> int | float | None:
    """Return the number that an expression of literals stands for, or None if it is not one.

    Division by zero, overflow and complex results count as not a constant, too: whoever asked
    tells what was expected.
    """
    match expr:
        case nodes.Number(value=value):
            return value
        case nodes.Group(inner=inner):
            return constant(inner)
        case nodes.Unary(operator="-", operand=operand):
            positive = constant(operand)
            return None if positive is None else -positive
        case nodes.Unary(operator="+", operand=operand):
            return constant(operand)
        case nodes.Binary(operator=sign, left=left, right=right) if sign in _OPERATIONS:
            a, b = constant(left), constant(right)
            if a is None or b is None or (sign == "**" and abs(b) > 1000):
                return None
            try:
                result = _OPERATIONS[sign](a, b)
                return result if math.isfinite(result) else None
            except (ArithmeticError, ValueError, TypeError):  # the last one of a complex number
                return None
        case _:
            return None


def whole_number(expr: nodes.Expr) -> int | None:
    """Return the whole number that an expression of literals stands for, or None."""
    value = constant(expr)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def has_no_value(expr: Expression) -> bool:
    """Tell whether an expression of numbers alone stands for none: `1 / 0`, `log(-1)`."""
    try:
        _evaluated(expr)
    except (ArithmeticError, ValueError):
        return True
    return False


def _evaluated(expr: Expression) -> float | None:
    """Return the number that an expression of numbers stands for; None if it is none of numbers.

    Raises:
        ArithmeticError, ValueError: If there is no such number.
    """
    if isinstance(expr, Constant) and not isinstance(expr.value, str):
        return float(expr.value)
    row = _TABLE.get(expr.function) if isinstance(expr, Apply) else None
    if row is None or row.scalar is None or not isinstance(expr, Apply):
        return None
    values = [_evaluated(argument) for argument in expr.arguments]
    if None in values:
        return None
    names = dict(zip("abc", values, strict=False))
    result = eval(row.scalar.format(*names), {"math": math}, names)  # a template of the table
    if isinstance(result, complex) or not math.isfinite(result):
        raise ValueError
    return float(result)


def number(value: int | float) -> Constant:
    """Return the expression of a number."""
    return Constant(
        value=value,
        type=ValueType(
            element="int" if isinstance(value, int) else "real",
            support=Support(lower=float(value), upper=float(value)),
        ),
    )


MOST = 2**31 - 1
"""No size or count is greater: no machine holds as much, and loops over it would not end."""

A_COUNT = f"a whole number from 1 to {MOST}"
"""What `count` takes, in words."""


def count(expr: nodes.Expr) -> int | None:
    """Return the size or count that an expression of literals stands for, or None."""
    value = whole_number(expr)
    return value if value is not None and 1 <= value <= MOST else None
