"""The draws of the posterior as matrices, a column a number, and which numbers are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import numpy.typing as npt
import xarray as xr

from compiler.ir import Program
from compiler.run.axes import posterior_variables
from compiler.run.summary import entry_labels, flat_draws

Array = npt.NDArray[np.float64]

SHORT = 30
"""Most entries of a site that are shown one by one, with their labels."""


@dataclass(frozen=True)
class Number:
    """One number of the posterior.

    Attributes:
        site: Its site.
        label: The site's name and the entry's labels: `theta[Choate]`.
        draws: Its draws, (S,).
        discrete: Whether it takes discrete values.
    """

    site: str
    label: str
    draws: Array
    discrete: bool

    @cached_property
    def finite(self) -> Array:
        """The draws that are neither NaN nor infinite."""
        found: Array = self.draws[np.isfinite(self.draws)]
        return found

    @property
    def broken(self) -> bool:
        """Whether some draws are NaN or infinite."""
        return self.finite.size < self.draws.size

    @property
    def constant(self) -> bool:
        """Whether the finite draws are all the same, or there are none."""
        return self.finite.size == 0 or bool(np.ptp(self.finite) == 0)

    @cached_property
    def quantiles(self) -> tuple[float, float, float, float, float]:
        """The 5, 25, 50, 75 and 95 % quantiles of the finite draws."""
        low, lower, middle, upper, high = np.quantile(self.finite, [0.05, 0.25, 0.5, 0.75, 0.95])
        return float(low), float(lower), float(middle), float(upper), float(high)


@dataclass(frozen=True)
class SiteDraws:
    """The draws of a site or a recorded value.

    Attributes:
        name: Its name.
        values: Its draws, (S, N) for N numbers.
        labels: Labels of the numbers, N.
        discrete: Whether it takes discrete values.
    """

    name: str
    values: Array
    labels: Sequence[str]
    discrete: bool

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return len(self.labels)

    @property
    def scalar(self) -> bool:
        """Whether it is a single number rather than an array."""
        return self.size == 1 and self.labels[0] == self.name

    def telling(self) -> Iterator[Number]:
        """Yield the numbers that are not constant, as half of a Cholesky factor is; else all."""
        numbers = list(self.numbers())
        yield from [number for number in numbers if not number.constant] or numbers

    def numbers(self) -> Iterator[Number]:
        """Yield its numbers in order."""
        for label, column in zip(self.labels, self.values.T, strict=True):
            yield Number(self.name, label, column, self.discrete)


def site_draws(program: Program, posterior: xr.Dataset) -> tuple[SiteDraws, ...]:
    """Return the draws of a posterior, site by site in the spec's order.

    Args:
        program: Tells the order, and which sites are discrete.
        posterior: Variables with dims (chain, draw, …).
    """
    return tuple(
        SiteDraws(
            variable.name,
            flat_draws(posterior[variable.name]),
            entry_labels(posterior[variable.name]),
            variable.discrete,
        )
        for variable in posterior_variables(program)
        if variable.name in posterior and posterior[variable.name].size
    )


def by_importance(sites: Sequence[SiteDraws]) -> list[SiteDraws]:
    """Return single numbers first, then short arrays, then long ones, the longest first."""
    return sorted(sites, key=lambda s: (not s.scalar, s.size > SHORT, -s.size * (s.size > SHORT)))


def some_numbers(sites: Sequence[SiteDraws], most: int, of_long: int | None = None) -> list[Number]:
    """Return a few numbers that stand for a posterior.

    Single numbers go first; arrays then give an entry each in turn, so that none is forgotten.

    Args:
        sites: The sites.
        most: How many at most.
        of_long: How many at most of an array that is not short; None for as many as fit.
    """
    ordered = by_importance(sites)
    chosen = [n for site in ordered if site.scalar for n in site.numbers()][:most]
    queues = [
        islice(site.telling(), of_long if site.size > SHORT else None)
        for site in ordered
        if not site.scalar
    ]
    while queues and len(chosen) < most:
        left = []
        for queue in queues:
            number = next(queue, None)
            if number is not None:
                left.append(queue)
                chosen.append(number)
        queues = left
    places = {site.name: i for i, site in enumerate(ordered)}
    return sorted(chosen[:most], key=lambda number: places[number.site])
