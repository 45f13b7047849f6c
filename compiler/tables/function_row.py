"""The row of the function table, and how supports pass through functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from compiler.ir.types import Support

ShapeRule = Literal[
    "elementwise",
    "reduce",
    "along",
    "dot",
    "matmul",
    "outer",
    "transpose",
    "diagonal_matrix",
    "diagonal",
    "square",
    "square_scalar",
    "solve",
    "filled",
    "identity",
    "size",
    "quantile",
    "columns",
    "concatenate",
    "covariance",
    "add_diagonal",
    "ode",
    "interpolate",
    "basis",
    "place",
]
"""How a result's axes follow from the arguments'; each is a rule of `compiler.resolve.shapes`."""

SupportRule = Callable[[Sequence[Support]], Support]

REAL = Support()
POSITIVE = Support(lower=0.0)
UNIT = Support(lower=0.0, upper=1.0)


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A function of the language.

    Attributes:
        name: What the author writes.
        parameters: Names of the positional arguments, for messages and the reference; a last name
            with a star takes any number.
        shape: How the result's axes follow from the arguments'.
        template: Emitted Python for tensors; `{0}`, `{1}` … are the arguments, `{axes}` the axes
            that a reduction removes.
        scalar: Emitted Python where every argument is a plain Python number; None where a number
            has to be made a tensor first.
        element: What each entry of the result is; `same` as the first argument.
        support: The support of the result from the arguments'.
        summary: One line for the reference.
        optional: How many of the last parameters may be left out.
        leading_optional: Whether the second parameter may be left out, as that of a covariance
            between all pairs of one set.
    """

    name: str
    parameters: tuple[str, ...]
    shape: ShapeRule
    template: str
    summary: str
    scalar: str | None = None
    element: Literal["real", "int", "bool", "same"] = "real"
    support: SupportRule = lambda supports: REAL
    optional: int = 0
    leading_optional: bool = False

    @property
    def most(self) -> int | None:
        """The largest number of positional arguments; None for any."""
        return (
            None if self.parameters[-1:] and self.parameters[-1][0] == "*" else len(self.parameters)
        )

    @property
    def least(self) -> int:
        """The smallest number of positional arguments."""
        return len(self.parameters) - self.optional - self.leading_optional

    @property
    def signature(self) -> str:
        """The call as the reference shows it."""
        whole = f"{self.name}({', '.join(self.parameters)})"
        if not self.leading_optional:
            return whole
        first, _, *others = self.parameters
        return f"{self.name}({', '.join([first, *others])})` or `{whole}"


def constantly(support: Support) -> SupportRule:
    """Return the rule for a function whose values always lie in `support`."""
    return lambda supports: support


def monotone(function: Callable[[float], float]) -> SupportRule:
    """Return the rule for an increasing function: it maps the ends of an interval."""

    def rule(supports: Sequence[Support]) -> Support:
        def end(value: float | None) -> float | None:
            try:
                return None if value is None else function(value)
            except (ValueError, OverflowError):
                return None

        (argument,) = supports[:1]
        return Support(lower=end(argument.lower), upper=end(argument.upper))

    return rule


def same(supports: Sequence[Support]) -> Support:
    """Keep the interval of the first argument."""
    return Support(lower=supports[0].lower, upper=supports[0].upper)


def add(supports: Sequence[Support]) -> Support:
    """Add two intervals."""
    a, b = supports
    return Support(lower=_both(a.lower, b.lower), upper=_both(a.upper, b.upper))


def subtract(supports: Sequence[Support]) -> Support:
    """Subtract the second interval from the first."""
    a, b = supports
    return add([a, negate([b])])


def negate(supports: Sequence[Support]) -> Support:
    """Mirror an interval."""
    (a,) = supports
    return Support(
        lower=None if a.upper is None else -a.upper, upper=None if a.lower is None else -a.lower
    )


def multiply(supports: Sequence[Support]) -> Support:
    """Multiply two intervals, as far as their signs tell."""
    a, b = supports
    ends = (a.lower, a.upper, b.lower, b.upper)
    if None not in ends:
        corners = [x * y for x in ends[:2] for y in ends[2:]]  # type: ignore[operator]
        return Support(lower=min(corners), upper=max(corners))
    if _nonnegative(a) and _nonnegative(b):
        return POSITIVE
    return REAL


def divide(supports: Sequence[Support]) -> Support:
    """Divide two intervals, as far as their signs tell."""
    a, b = supports
    if _nonnegative(a) and _nonnegative(b):
        upper = a.upper / b.lower if a.upper is not None and b.lower else None
        return Support(lower=0.0, upper=upper)
    return REAL


def power(supports: Sequence[Support]) -> Support:
    """Raise an interval to a power."""
    base, exponent = supports
    even = exponent.lower is not None and exponent.lower == exponent.upper
    if even and exponent.lower is not None and exponent.lower % 2 == 0:
        return POSITIVE
    return POSITIVE if _nonnegative(base) else REAL


def hull(supports: Sequence[Support]) -> Support:
    """Return the smallest interval around all of them."""
    lowers = [s.lower for s in supports]
    uppers = [s.upper for s in supports]
    return Support(
        lower=None if None in lowers else min(x for x in lowers if x is not None),
        upper=None if None in uppers else max(x for x in uppers if x is not None),
    )


def summed(supports: Sequence[Support]) -> Support:
    """Return the interval of a sum of any number of entries."""
    (a,) = supports[:1]
    return Support(lower=0.0 if _nonnegative(a) else None)


def at_least(supports: Sequence[Support]) -> Support:
    """Return the interval of the larger of two values."""
    lowers = [s.lower for s in supports if s.lower is not None]
    return Support(lower=max(lowers) if lowers else None, upper=hull(supports).upper)


def at_most(supports: Sequence[Support]) -> Support:
    """Return the interval of the smaller of two values."""
    uppers = [s.upper for s in supports if s.upper is not None]
    return Support(lower=hull(supports).lower, upper=min(uppers) if uppers else None)


def _both(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


def _nonnegative(support: Support) -> bool:
    return support.lower is not None and support.lower >= 0
