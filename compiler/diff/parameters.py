"""How many free parameters a guide's part has, as far as the sizes of dims are known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from compiler.diff.size import Size, product, triangle
from compiler.ir import CallablePart, Guide, Part, Program, Site
from compiler.ir.types import Axis
from compiler.tables.families import FAMILIES
from compiler.tables.family_row import Count, Family
from compiler.tables.hierarchy import hierarchical_sites


def part_parameters(program: Program, part: Part | CallablePart) -> Size | str:
    """Return how many parameters a part has; in words where no polynomial in the sizes tells."""
    if isinstance(part, CallablePart):
        return "those of the callable"
    family = FAMILIES[part.family]
    sites = {site.name: site for site in program.latents()}
    if family.count is None:
        return family.formula
    if family.covers == "plate":
        return _by_plates(program, part, family, family.count)
    n = Size()
    for name in part.sites:
        n += unconstrained(program, sites[name])
    size = _at(family.count, part, n)
    if size is None:
        return f"{family.formula}, with D = {n}"
    for name in hierarchical_sites(program, part) if family.follows else ():
        size += unconstrained(program, sites[name])
    return size


def _by_plates(program: Program, part: Part, family: Family, count: Count) -> Size | str:
    """Return the parameters of a family that has a distribution for each element of the plates."""
    blocks: dict[frozenset[str], Size] = {}
    for site in program.latents():
        if site.name in part.sites:
            plates = frozenset(site.plates)
            blocks[plates] = blocks.get(plates, Size()) + _in_one_element(program, site)
    total = Size()
    for plates, n in blocks.items():
        size = _at(count, part, n)
        if size is None:
            return f"{family.formula}, with D = {n}"
        total += product([_axis(program, plate) for plate in plates]) * size
    return total


def _at(count: Count, part: Part, n: Size) -> Size | None:
    """Return `count` at the dimension `n`, None where it is no polynomial in the unknown sizes."""
    if n.number is not None:
        return Size.of(count(n.number, part.options))
    return _extended(lambda dimension: count(dimension, part.options), n)


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
    plates = product([_axis(program, dim) for dim in site.plates])
    return plates * _in_one_element(program, site)


def _in_one_element(program: Program, site: Site) -> Size:
    event = [_axis(program, axis) for axis in site.event]
    if site.discrete:
        return product(event) * _free_probabilities(program, site)
    return _values(site.support.kind, event)


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
