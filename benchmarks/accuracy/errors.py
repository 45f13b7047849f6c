"""How far a fit is from its reference: the worst of all parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.accuracy.moments import Moments

_STANDARD_ERRORS = 2.0
"""How many of its standard errors a reference's mean may be off."""


@dataclass(frozen=True)
class Errors:
    """The worst errors of a fit.

    Attributes:
        compared: The number of parameters.
        shift: Greatest difference of means, in the reference's standard deviations.
        where: The parameter that has it.
        net: The same less what may be the reference's own Monte-Carlo error.
        least: Least ratio of standard deviations, ours over the reference's.
        most: Greatest ratio.
        missing: Parameters of the reference that the fit does not have.
    """

    compared: int
    shift: float
    where: str
    net: float
    least: float
    most: float
    missing: tuple[str, ...]

    def within(self, shift: float, low: float, high: float) -> bool:
        """Tell whether all errors, raw, are within bounds, and nothing is missing."""
        inside = self.shift <= shift and low <= self.least and self.most <= high
        return inside and not self.missing

    @property
    def close(self) -> bool:
        """Whether means are within 0.1 sd and standard deviations within 10 %."""
        return self.within(0.1, 0.9, 1.1)

    @property
    def tight(self) -> bool:
        """Whether means are within 0.05 sd and standard deviations within 5 %."""
        return self.within(0.05, 0.95, 1.05)


def compare(found: Mapping[str, Moments], reference: Mapping[str, Moments]) -> Errors | None:
    """Compare a fit with a reference; None where there is no reference.

    A parameter whose tail is so heavy that its sd is not determined is compared by its logarithm.
    """
    if not reference:
        return None
    shifts, nets, ratios = {}, [], []
    for name, told in reference.items():
        if name not in found:
            continue
        mine, truth = found[name], told
        if told.heavy:
            mine, truth = mine.on_log_scale, truth.on_log_scale
        scale = truth.sd or 1.0
        shifts[name] = abs(mine.mean - truth.mean) / scale
        nets.append(max(0.0, shifts[name] - _STANDARD_ERRORS * truth.mcse / scale))
        ratios.append(mine.sd / scale)
    where = max(shifts, key=lambda name: shifts[name], default="")
    return Errors(
        compared=len(shifts),
        shift=shifts.get(where, float("inf")),
        where=where,
        net=max(nets, default=float("inf")),
        least=min(ratios, default=0.0),
        most=max(ratios, default=float("inf")),
        missing=tuple(name for name in reference if name not in found),
    )
