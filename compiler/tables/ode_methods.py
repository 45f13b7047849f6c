"""The options of `ode`, and the methods; a row a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STEPS = 20
"""Fixed steps between neighbouring times where the author does not say how many."""


@dataclass(frozen=True, slots=True)
class OdeMethod:
    """A method of solving differential equations.

    Attributes:
        name: What the author writes.
        options: The options that go with it.
        summary: One line for the reference.
    """

    name: str
    options: tuple[str, ...]
    summary: str


_FIXED, _CHOSEN = ("steps",), ("rtol", "atol")

METHODS: Mapping[str, OdeMethod] = {
    row.name: row
    for row in (
        OdeMethod("rk4", _FIXED, "Runge–Kutta of order 4, the default."),
        OdeMethod("midpoint", _FIXED, "Runge–Kutta of order 2."),
        OdeMethod("euler", _FIXED, "Order 1; for models that are stated in such steps."),
        OdeMethod("dopri5", _CHOSEN, "Dormand–Prince of order 5."),
        OdeMethod("dopri8", _CHOSEN, "Dormand–Prince of order 8, for high accuracy."),
        OdeMethod("adams", _CHOSEN, "Adams–Moulton."),
    )
}
"""The methods by name: those of fixed `steps` are compiled, those of tolerances are slow."""
