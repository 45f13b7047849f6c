"""The numbers that an expression of literals stands for, as nested tuples."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator

from compiler.ir.expressions import Apply, Constant, Expression, Items

Array = float | tuple["Array", ...]
"""A number, or a list of arrays."""

_OPERATIONS: dict[str, Callable[..., float]] = {
    "negative": operator.neg,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
}
_FILLED = {"zeros": 0.0, "ones": 1.0}


def literal_array(expression: Expression) -> Array | None:
    """Return the numbers that an expression of literals stands for, None if it uses data.

    An array filled with one number counts as that number: its shape is its type's.
    """
    match expression:
        case Constant(value=bool() | int() | float() as value):
            return float(value)
        case Items(items=items):
            entries = [literal_array(item) for item in items]
            kept = tuple(entry for entry in entries if entry is not None)
            return kept if len(kept) == len(entries) else None
        case Apply(function=("zeros" | "ones") as name):
            return _FILLED[name]
        case Apply(function="fill", arguments=arguments):
            return literal_array(arguments[0])
        case Apply(function=name, arguments=arguments) if name in _OPERATIONS:
            numbers = [literal_array(argument) for argument in arguments]
            if not all(isinstance(number, float) for number in numbers):
                return None
            try:
                result = _OPERATIONS[name](*numbers)
            except (ArithmeticError, ValueError):
                return None
            return float(result) if isinstance(result, int | float) else None
        case _:
            return None


def numbers(array: Array) -> Iterator[float]:
    """Yield every number of an array."""
    if isinstance(array, float):
        yield array
    else:
        for entry in array:
            yield from numbers(entry)


def rows(array: Array) -> Iterator[tuple[float, ...]]:
    """Yield every list of numbers along the last axis."""
    if isinstance(array, tuple):
        row = tuple(entry for entry in array if isinstance(entry, float))
        if len(row) == len(array):
            yield row
        else:
            for entry in array:
                yield from rows(entry)


def matrices(array: Array) -> Iterator[tuple[tuple[float, ...], ...]]:
    """Yield every list of rows along the last two axes."""
    if isinstance(array, tuple) and any(isinstance(entry, tuple) for entry in array):
        if all(isinstance(entry, tuple) and isinstance(entry[0], float) for entry in array):
            yield tuple(rows(array))
        else:
            for entry in array:
                yield from matrices(entry)
