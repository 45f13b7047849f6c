"""How many free parameters a guide's part has, as far as the sizes of dims are known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from compiler.diff.size import Size, product, triangle
from compiler.ir import CallablePart, Guide, Part, Program, Site
from compiler.ir.types import Axis
from compiler.tables.families import FAMILIES


def part_parameters(program: Program, part: Part | CallablePart) -> Size | str:
    """Return how many parameters a part has; in words where no polynomial in the sizes tells."""
    if isinstance(part, CallablePart):
        return "those of the callable"
    family = FAMILIES[part.family]
    sites = {site.name: site for site in program.latents()}
    n = Size()
    for name in part.sites:
        n += unconstrained(program, sites[name])
    if (count := family.count) is None:
        return family.formula
    if n.number is not None:
        return Size.of(count(n.number, part.options))
    size = _extended(lambda dimension: count(dimension, part.options), n)
    return size or f"{family.formula}, with D = {n}"


def guide_parameters(program: Program, guide: Guide) -> Size | None:
    """Return how many parameters a guide has; None where that of any part is not known."""
    total = Size()
    for part in guide.parts:
        size = part_parameters(program, part)
        if isinstance(size, str):
            return None
        total += size
    return total


def _extended(count: Callable[[int], int], n: Size) -> Size | None:
    """Return `count` at a polynomial, if it is itself a polynomial of degree two at most."""
    zero, one, two = count(0), count(1), count(2)
    square = Fraction(two - 2 * one + zero, 2)
    slope = Fraction(one - zero) - square
    if any(zero + slope * d + square * d * d != count(d) for d in (3, 7, 50)):
        return None
    return n * n * square + n * slope + zero


def unconstrained(program: Program, site: Site) -> Size:
    """Return how many unconstrained values describe a site over all its plates."""
    event = [_axis(program, axis) for axis in site.event]
    plates = product([_axis(program, dim) for dim in site.plates])
    if site.discrete:
        return plates * product(event) * _free_probabilities(program, site)
    return plates * _values(site.support.kind, event)


def _values(kind: str, event: list[Size]) -> Size:
    if not event:
        return Size.of(1)
    *outer, last = event
    match kind:
        case "simplex":
            return product(outer) * (last - 1)
        case "corr_cholesky" | "corr_matrix":
            return product(outer[:-1]) * triangle(last)
        case "lower_cholesky" | "positive_definite":
            return product(outer[:-1]) * (triangle(last) + last)
        case _:
            return product(event)


def _free_probabilities(program: Program, site: Site) -> Size:
    arguments = site.distribution.arguments
    match site.distribution.name:
        case "Categorical":
            axes = next(iter(arguments.values())).type.event
            return _axis(program, axes[-1]) - 1 if axes else Size.of(1)
        case _:
            return Size.of(1)


def _axis(program: Program, axis: Axis) -> Size:
    if isinstance(axis, str):
        for dim in program.dims:
            if dim.name == axis and dim.size is not None:
                return Size.of(dim.size)
    return Size.of(axis)
