"""Takes an expression apart that is linear in the earlier steps of some unknowns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compiler.ir import Apply, Constant, Expression, IndexAt, Items, Lag, Reference
from compiler.ir.queries import subexpressions
from compiler.ir.rewrite import Arithmetic

Place = tuple[str, int]
"""An unknown and how many steps before."""


@dataclass(frozen=True)
class Affine:
    """`constant + sum of coefficients[x, k] * prev(x, k)`."""

    constant: Expression
    coefficients: Mapping[Place, Expression]


class NotAffine(Exception):  # noqa: N818 - says how an expression is, and never leaves emission
    """An expression that is not linear in the unknowns."""


class Splitter:
    """Takes expressions apart.

    Args:
        arithmetic: Puts expressions together.
        present: What each unknown is at a step, in terms of earlier ones.
    """

    def __init__(self, arithmetic: Arithmetic, present: Mapping[str, Expression]) -> None:
        self._arithmetic = arithmetic
        self._present = present

    def split(self, expr: Expression) -> Affine:
        """Return the parts of an expression.

        Raises:
            NotAffine: If it is not linear in the unknowns.
        """
        calc = self._arithmetic
        if not self._reads_unknowns(expr):
            return Affine(expr, {})
        match expr:
            case Reference(name=name):
                return self.split(self._present[name])
            case Lag(base=base, steps=steps, default=None):
                return Affine(calc.number(0.0), {(base.name, steps): calc.number(1.0)})
            case Apply(function="+", arguments=(a, b)):
                return self._sum(self.split(a), self.split(b))
            case Apply(function="-", arguments=(a, b)):
                return self._sum(self.split(a), self._scaled(self.split(b), calc.number(-1.0)))
            case Apply(function="negative", arguments=(a,)):
                return self._scaled(self.split(a), calc.number(-1.0))
            case Apply(function="*", arguments=(a, b)):
                return self._product(a, b)
            case Apply(function="/", arguments=(a, b)) if not self._reads_unknowns(b):
                parts = self.split(a)
                return Affine(
                    calc.divide(parts.constant, b),
                    {p: calc.divide(c, b) for p, c in parts.coefficients.items()},
                )
            case Apply(function="if", arguments=(test, a, b)) if not self._reads_unknowns(test):
                return self._chosen(test, self.split(a), self.split(b))
            case Apply(function="dot" | "@", arguments=(a, b)):
                return self._dot(a, b)
            case _:
                raise NotAffine

    def _reads_unknowns(self, expr: Expression) -> bool:
        return any(
            isinstance(part, Reference) and part.name in self._present
            for part in subexpressions(expr)
        )

    def _product(self, a: Expression, b: Expression) -> Affine:
        if not self._reads_unknowns(a):
            return self._scaled(self.split(b), a)
        if not self._reads_unknowns(b):
            return self._scaled(self.split(a), b)
        raise NotAffine

    def _dot(self, a: Expression, b: Expression) -> Affine:
        """Take the inner product with a list of earlier steps apart, entry by entry."""
        for items, others in ((a, b), (b, a)):
            if isinstance(items, Items) and len(others.type.event) == 1:
                found = Affine(self._arithmetic.number(0.0), {})
                for position, item in enumerate(items.items):
                    entry = _entry(others, position)
                    found = self._sum(found, self._product(entry, item))
                return found
        raise NotAffine

    def _scaled(self, parts: Affine, factor: Expression) -> Affine:
        multiply = self._arithmetic.multiply
        return Affine(
            multiply(factor, parts.constant),
            {place: multiply(factor, c) for place, c in parts.coefficients.items()},
        )

    def _sum(self, a: Affine, b: Affine) -> Affine:
        found = dict(a.coefficients)
        for place, c in b.coefficients.items():
            found[place] = self._arithmetic.add(found[place], c) if place in found else c
        return Affine(self._arithmetic.add(a.constant, b.constant), found)

    def _chosen(self, test: Expression, a: Affine, b: Affine) -> Affine:
        calc = self._arithmetic
        zero = calc.number(0.0)
        return Affine(
            calc.choose(test, a.constant, b.constant),
            {
                place: calc.choose(
                    test, a.coefficients.get(place, zero), b.coefficients.get(place, zero)
                )
                for place in {**a.coefficients, **b.coefficients}
            },
        )


def _entry(vector: Expression, position: int) -> Expression:
    if isinstance(vector, Items):
        return vector.items[position]
    index = Constant(value=position, type=vector.type.model_copy(update={"event": ()}))
    return IndexAt(base=vector, indices=(index,), type=vector.type.model_copy(update={"event": ()}))
