"""Spells IR expressions as a spec would, so that a change of one can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping

from compiler.ir import (
    Apply,
    Constant,
    Distribution,
    Expression,
    Filled,
    IndexAt,
    Initially,
    Invoke,
    Items,
    Lag,
    Range,
    Reference,
)
from compiler.tables.mixtures import component_arguments, positional

_STRENGTH = {
    "if": 0, "or": 1, "and": 2, "not": 3,
    "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "@": 6, "negative": 7, "**": 8,
}  # fmt: skip
_ATOM = 9


class Speller:
    """Spells expressions.

    Args:
        functions: What the author calls each instance of a function of the spec.
    """

    def __init__(self, functions: Mapping[str, str]) -> None:
        self._functions = functions

    def distribution(self, distribution: Distribution) -> str:
        """Return a distribution with its arguments, named where the author named them."""
        if distribution.components:
            return self._mixture(distribution)
        arguments = [
            self(value) if number < distribution.positional else f"{name} = {self(value)}"
            for number, (name, value) in enumerate(distribution.arguments.items())
        ]
        return f"{distribution.name}({', '.join(arguments)})"

    def _mixture(self, distribution: Distribution) -> str:
        parts = [
            Distribution(
                name=name,
                arguments=dict(component_arguments(distribution, number)),
                positional=positional(distribution, number),
            )
            for number, name in enumerate(distribution.components)
        ]
        spelt = ", ".join(map(self.distribution, parts))
        listed = f"[{spelt}]" if distribution.along is None else spelt
        return f"{distribution.name}({self(distribution.arguments['weights'])}, {listed})"

    def __call__(self, expression: Expression, least: int = 0) -> str:
        """Return an expression, in parentheses if it binds looser than `least`."""
        text, strength = self._spelt(expression)
        return f"({text})" if strength < least else text

    def _spelt(self, expression: Expression) -> tuple[str, int]:
        match expression:
            case Constant(value=value):
                negative = isinstance(value, (int, float)) and value < 0
                return json.dumps(value), 7 if negative else _ATOM
            case Reference(name=name, kind="size"):
                return f"count({name})", _ATOM
            case Reference(name=name):
                return name, _ATOM
            case Items(items=items):
                return f"[{self._listed(items)}]", _ATOM
            case Invoke(function=function, arguments=arguments):
                name = self._functions.get(function, function)
                return f"{name}({self._listed(arguments)})", _ATOM
            case IndexAt(base=base, indices=indices):
                inner = ", ".join(
                    f"{'' if i.lower is None else i.lower}:{'' if i.upper is None else i.upper}"
                    if isinstance(i, Range)
                    else self(i)
                    for i in indices
                )
                return f"{self(base, _ATOM)}[{inner}]", _ATOM
            case Lag(base=base, steps=steps, default=default):
                rest = f", {steps}" if steps != 1 or default is not None else ""
                rest += "" if default is None else f", {self(default)}"
                return f"prev({self(base)}{rest})", _ATOM
            case Initially(initial=initial, then=then):
                return f"init {self(initial)} then {self(then)}", 0
            case Filled(data=data):
                return data.name, _ATOM
            case Apply():
                return self._applied(expression)

    def _applied(self, apply: Apply) -> tuple[str, int]:
        name, arguments = apply.function, apply.arguments
        strength = _STRENGTH.get(name, _ATOM)
        if name == "if":
            condition, then, otherwise = arguments
            return f"if {self(condition, 1)} then {self(then)} else {self(otherwise)}", strength
        if name == "negative":
            return f"-{self(arguments[0], strength)}", strength
        if name == "not":
            return f"not {self(arguments[0], strength)}", strength
        if name in _STRENGTH:
            if name == "**":  # binds to the right, and takes a sign there
                left, right = self(arguments[0], _ATOM), self(arguments[1], _STRENGTH["negative"])
            else:
                left = self(arguments[0], strength + (strength == _STRENGTH["=="]))
                right = self(arguments[1], strength + 1)
            return f"{left} {name} {right}", strength
        options = [f"{key} = {self(value)}" for key, value in apply.options.items()]
        return f"{name}({', '.join([self._listed(arguments), *options])})", _ATOM

    def _listed(self, expressions: tuple[Expression, ...]) -> str:
        return ", ".join(self(expression) for expression in expressions)
