"""How many free parameters a guide's part has: a row a family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from compiler.diff.size import Size, product, triangle
from compiler.ir import CallablePart, Guide, Part, Program, Site
from compiler.ir.guides import OptionValue
from compiler.ir.types import Axis

Options = Mapping[str, OptionValue]
Formula = Callable[[Size, Options], Size | None]
"""The number of parameters from the number of unconstrained values; None: not known here."""


def _low_rank(n: Size, options: Options) -> Size:
    rank = options.get("rank")
    if isinstance(rank, int):
        return n * (2 + rank)
    known = n.number
    return n * 2 + n * (Size.of("rank") if known is None else round(known**0.5))


def _autoregressive(n: Size, options: Options) -> Size:
    """Parameters of masked networks from n inputs over hidden layers to 2n outputs."""
    hidden = options.get("hidden_dim")
    widths: tuple[object, ...] = hidden if isinstance(hidden, tuple) else (hidden,)
    layers = [n, *(Size.of(w) if isinstance(w, int) else n * 3 + 1 for w in widths), n * 2]
    one = Size()
    for width, following in pairwise(layers):
        one += width * following + following
    count = options.get("num_transforms")
    return one * (count if isinstance(count, int) else 1)


FORMULAS: dict[str, Formula] = {
    "AutoDelta": lambda n, _: n,
    "AutoNormal": lambda n, _: n * 2,
    "AutoDiagonalNormal": lambda n, _: n * 2,
    "AutoMultivariateNormal": lambda n, _: n * 2 + triangle(n),
    "AutoLowRankMultivariateNormal": _low_rank,
    "AutoNormalizingFlow": lambda n, _: None,
    "AutoIAFNormal": _autoregressive,
    "AutoLaplaceApproximation": lambda n, _: n,
    "AutoDiscreteParallel": lambda n, _: n,
}
"""A part's parameters, by its family; n counts the unconstrained values of its sites.

Of a discrete site, n counts the free probabilities.
"""


def part_parameters(program: Program, part: Part | CallablePart) -> Size | None:
    """Return how many parameters a part has; None where that is not known before running."""
    if isinstance(part, CallablePart) or part.family not in FORMULAS:
        return None
    sites = {site.name: site for site in program.latents()}
    n = Size()
    for name in part.sites:
        if name not in sites:
            return None
        n += unconstrained(program, sites[name])
    return FORMULAS[part.family](n, part.options)


def guide_parameters(program: Program, guide: Guide) -> Size | None:
    """Return how many parameters a guide has; None where that of any part is not known."""
    total = Size()
    for part in guide.parts:
        size = part_parameters(program, part)
        if size is None:
            return None
        total += size
    return total


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
