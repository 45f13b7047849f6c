"""Sizes that may hold unknowns: polynomials in the sizes of dims, such as `2·school + 5`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

_POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Size:
    """A polynomial.

    Attributes:
        terms: Each monomial (its unknowns in order, `("n", "n")` for n²) with its coefficient, none
            of them zero.
    """

    terms: tuple[tuple[tuple[str, ...], Fraction], ...] = ()

    @classmethod
    def of(cls, value: int | str) -> Size:
        """Return a number, or the unknown of a name."""
        if isinstance(value, str):
            return cls((((value,), Fraction(1)),))
        return cls((((), Fraction(value)),)) if value else cls()

    def __add__(self, other: Size | int) -> Size:
        total: Counter[tuple[str, ...]] = Counter()
        for monomial, coefficient in (*self.terms, *_size(other).terms):
            total[monomial] += coefficient  # type: ignore[assignment]
        return _made(total)

    def __sub__(self, other: Size | int) -> Size:
        return self + _size(other) * -1

    def __mul__(self, other: Size | int | Fraction) -> Size:
        factor = Size((((), other),)) if isinstance(other, Fraction) else _size(other)
        total: Counter[tuple[str, ...]] = Counter()
        for left, a in self.terms:
            for right, b in factor.terms:
                total[tuple(sorted(left + right))] += a * b  # type: ignore[assignment]
        return _made(total)

    @property
    def number(self) -> int | None:
        """The size where it holds no unknown."""
        if not self.terms:
            return 0
        (monomial, coefficient), *rest = self.terms
        return None if monomial or rest else int(coefficient)

    def __str__(self) -> str:
        """Return it as text, highest powers first."""
        if not self.terms:
            return "0"
        ordered = sorted(self.terms, key=lambda term: (-len(term[0]), term[0]))
        text = ""
        for monomial, coefficient in ordered:
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} " if text else ("-" if sign == "-" else "")
            text += _term(monomial, abs(coefficient))
        return text


def triangle(n: Size) -> Size:
    """Return n(n - 1)/2, the number of entries below a square matrix's diagonal."""
    return n * (n - 1) * Fraction(1, 2)


def product(sizes: list[Size]) -> Size:
    """Return the product, 1 of none."""
    result = Size.of(1)
    for size in sizes:
        result = result * size
    return result


def _size(value: Size | int) -> Size:
    return value if isinstance(value, Size) else Size.of(value)


def _made(total: Counter[tuple[str, ...]]) -> Size:
    return Size(tuple((m, Fraction(c)) for m, c in sorted(total.items()) if c))


def _term(monomial: tuple[str, ...], coefficient: Fraction) -> str:
    factors = [
        name + (str(power).translate(_POWERS) if power > 1 else "")
        for name, power in Counter(monomial).items()
    ]
    if coefficient.numerator != 1 or not factors:
        factors.insert(0, str(coefficient.numerator))
    over = f"/{coefficient.denominator}" if coefficient.denominator != 1 else ""
    return "·".join(factors) + over
