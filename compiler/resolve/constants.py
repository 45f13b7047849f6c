"""Evaluates what is a constant in the spec's text: sizes, bounds, options."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from compiler.ir import Constant, Support, ValueType
from grammar import nodes

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
            except (ArithmeticError, ValueError):
                return None
            finite = isinstance(result, int | float) and math.isfinite(result)
            return result if finite else None
        case _:
            return None


def whole_number(expr: nodes.Expr) -> int | None:
    """Return the whole number that an expression of literals stands for, or None."""
    value = constant(expr)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def number(value: int | float) -> Constant:
    """Return the expression of a number."""
    return Constant(
        value=value,
        type=ValueType(
            element="int" if isinstance(value, int) else "real",
            support=Support(lower=float(value), upper=float(value)),
        ),
    )
