"""Which latent angles a model uses as numbers, not as points of the circle."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.ir import (
    Apply,
    Assignment,
    Constant,
    Expression,
    IndexAt,
    Initially,
    Items,
    Lag,
    Program,
    Range,
    Recorded,
    Reference,
    Site,
)
from compiler.ir.program import statements
from compiler.ir.queries import parts, subexpressions, values_of

_LOCATIONS = {"VonMises": ("loc",), "SineBivariateVonMises": ("phi_loc", "psi_loc")}
"""The distributions of angles, each with the arguments that are angles themselves."""

_PERIODIC = ("sin", "cos", "tan")
_SUMS = ("+", "-", "negative")

Angles = frozenset[str]
"""Names of latent angles."""


def used_as_numbers(program: Program) -> Angles:
    """Return the latent angles for which it matters of which turn they are.

    Where an angle goes only into sines, cosines and the locations of other angles, by itself or
    added to something, all turns of it mean the same. Whatever else is done with it is taken for a
    use as a number.
    """
    body = list(statements(program.model))
    angles: dict[str, Angles] = {
        statement.name: frozenset((statement.name,))
        for statement in body
        if isinstance(statement, Site)
        and not statement.observed
        and statement.distribution.name in _LOCATIONS
    }
    if not angles:
        return frozenset()
    found = Angles()
    for statement in (*body, *statements(program.predict)):
        if isinstance(statement, Assignment | Recorded):
            found |= _as_numbers(statement.value, angles)
            angles[statement.name] = _angles_in(statement.value, angles)
        elif isinstance(statement, Site):
            drawn = [statement.distribution, *([statement.initial] if statement.initial else [])]
            located = [
                distribution.arguments[name]
                for distribution in drawn
                for name in _LOCATIONS.get(distribution.name, ())
            ]
            for value in values_of(statement):
                found |= _as_numbers(value, angles)
                if not any(value is location for location in located):
                    found |= _angles_in(value, angles)
        else:
            for value in values_of(statement):
                found |= _as_numbers(value, angles) | _angles_in(value, angles)
    return found


def _angles_in(expr: Expression | Range, angles: Mapping[str, Angles]) -> Angles:
    """The angles whose turns are turns of the expression's value, too."""
    match expr:
        case Reference(name=name):
            return angles.get(name, frozenset())
        case Apply(function=function) if function in _PERIODIC:
            return frozenset()
        case _:
            return Angles().union(*(_angles_in(part, angles) for part in parts(expr)))


def _as_numbers(expr: Expression, angles: Mapping[str, Angles]) -> Angles:
    """The angles that are used as numbers somewhere in an expression."""
    found = Angles()
    for part in subexpressions(expr):
        match part:
            case Apply(function=function) if function in (*_PERIODIC, *_SUMS):
                continue
            case Apply(function="*", arguments=(Constant(value=value), _)) if _is_whole(value):
                continue
            case Apply(function="*", arguments=(_, Constant(value=value))) if _is_whole(value):
                continue
            case Reference() | Constant() | Items() | Lag() | Initially():
                continue
            case IndexAt():
                inner = parts(part)[1:]
            case _:
                inner = parts(part)
        found = found.union(*(_angles_in(one, angles) for one in inner))
    return found


def _is_whole(value: bool | int | float | str) -> bool:
    return not isinstance(value, bool | str) and float(value).is_integer()
