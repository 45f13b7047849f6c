"""Expressions made of other expressions: parts replaced, and arithmetic put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from compiler.ir.axes import Sizes
from compiler.ir.expressions import (
    Apply,
    Constant,
    Expression,
    IndexAt,
    Initially,
    Invoke,
    Items,
    Lag,
    Range,
)
from compiler.ir.types import ValueType

Replace = Callable[[Expression], Expression | None]


def rewritten(expr: Expression, replace: Replace) -> Expression:
    """Return an expression whose parts are what `replace` says of them.

    Args:
        expr: The expression.
        replace: Returns what stands in for a part, or None where its own parts are looked at.
    """
    found = replace(expr)
    if found is not None:
        return found

    def again(part: Expression) -> Expression:
        return rewritten(part, replace)

    match expr:
        case Apply():
            options = {name: again(option) for name, option in expr.options.items()}
            parts = tuple(map(again, expr.arguments))
            return expr.model_copy(update={"arguments": parts, "options": options})
        case Invoke():
            return expr.model_copy(update={"arguments": tuple(map(again, expr.arguments))})
        case Items():
            return expr.model_copy(update={"items": tuple(map(again, expr.items))})
        case IndexAt():
            places = tuple(i if isinstance(i, Range) else again(i) for i in expr.indices)
            return expr.model_copy(update={"base": again(expr.base), "indices": places})
        case Initially():
            update = {"initial": again(expr.initial), "then": again(expr.then)}
            return expr.model_copy(update=update)
        case Lag(default=default) if default is not None:
            return expr.model_copy(update={"default": again(default)})
        case _:
            return expr


class Arithmetic:
    """Puts expressions together; numbers are worked out, and 0 and 1 leave no trace.

    Args:
        sizes: What is known of dims' sizes.
        plates: The plates around the expressions, outermost first.
    """

    def __init__(self, sizes: Sizes, plates: tuple[str, ...]) -> None:
        self._sizes = sizes
        self._plates = plates

    def number(self, value: float) -> Expression:
        """Return a number."""
        return Constant(value=value, type=ValueType(element="real"))

    def negative(self, a: Expression) -> Expression:
        """Return -a."""
        if isinstance(a, Constant):
            return self.number(-float(a.value))
        return Apply(function="negative", arguments=(a,), type=self._type(a))

    def add(self, a: Expression, b: Expression) -> Expression:
        """Return a + b."""
        if _is(a, 0):
            return b
        if _is(b, 0):
            return a
        if isinstance(a, Constant) and isinstance(b, Constant):
            return self.number(float(a.value) + float(b.value))
        if isinstance(b, Apply) and b.function == "negative":
            return self._both("-", a, b.arguments[0])
        return self._both("+", a, b)

    def multiply(self, a: Expression, b: Expression) -> Expression:
        """Return a * b."""
        if _is(a, 0) or _is(b, 0):
            return self.number(0.0)
        for one, other in ((a, b), (b, a)):
            if _is(one, 1):
                return other
            if _is(one, -1):
                return self.negative(other)
        if isinstance(a, Constant) and isinstance(b, Constant):
            return self.number(float(a.value) * float(b.value))
        for one, other in ((a, b), (b, a)):
            if isinstance(other, Apply) and other.function == "negative":
                return self.negative(self.multiply(one, other.arguments[0]))
        return self._both("*", a, b)

    def divide(self, a: Expression, b: Expression) -> Expression:
        """Return a / b."""
        return a if _is(b, 1) or _is(a, 0) else self._both("/", a, b)

    def choose(self, test: Expression, a: Expression, b: Expression) -> Expression:
        """Return a where the test holds, and else b."""
        return Apply(function="if", arguments=(test, a, b), type=self._type(test, a, b))

    def matrix_product(self, a: Expression, b: Expression) -> Expression:
        """Return a @ b, of a matrix and a vector."""
        event = (*a.type.event[:-1], *b.type.event[1:])
        kind = self._type(a, b, event=event)
        return Apply(function="@", arguments=(a, b), type=kind)

    def _both(self, sign: Literal["+", "-", "*", "/"], a: Expression, b: Expression) -> Expression:
        return Apply(function=sign, arguments=(a, b), type=self._type(a, b))

    def _type(self, *parts: Expression, event: tuple[str | int, ...] | None = None) -> ValueType:
        types = [part.type for part in parts]
        joined: tuple[str | int, ...] = ()
        if event is None:
            for one in types:
                joined = self._sizes.join(joined, one.event)
        return ValueType(
            element="real",
            batch=tuple(p for p in self._plates if any(p in t.batch for t in types)),
            event=joined if event is None else event,
            random=any(t.random for t in types),
        )


def _is(expr: Expression, value: float) -> bool:
    return (
        isinstance(expr, Constant)
        and not isinstance(expr.value, str | bool)
        and float(expr.value) == value
    )
