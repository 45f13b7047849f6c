"""What is known of one number's posterior, from draws or from a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

_NORMAL_RANGE = 3.2897
"""From the 5 % to the 95 % quantile of a normal distribution, in standard deviations."""

_TAIL_FROM = 3.0
"""An sd of so many times what the quantiles say is made by the tail: draws do not determine it."""


@dataclass(frozen=True)
class Moments:
    """A number's posterior in a few figures.

    Attributes:
        mean: Its mean.
        sd: Its standard deviation.
        q5: Its 5 % quantile.
        q50: Its median.
        q95: Its 95 % quantile.
        mcse: Standard error of the mean, from the number of draws; 0 where it is not known.
    """

    mean: float
    sd: float
    q5: float
    q50: float
    q95: float
    mcse: float = 0.0

    @property
    def heavy(self) -> bool:
        """Whether it is positive with a tail so heavy that logarithms have to be compared."""
        return self.q5 > 0 and self.sd > _TAIL_FROM * (self.q95 - self.q5) / _NORMAL_RANGE

    @property
    def on_log_scale(self) -> Moments:
        """The same of its logarithm, location and spread taken from the quantiles."""
        q5, q50, q95 = (math.log(max(q, 1e-300)) for q in (self.q5, self.q50, self.q95))
        relative = self.mcse / self.sd if self.sd else 0.0
        sd = (q95 - q5) / _NORMAL_RANGE
        return Moments(q50, sd, q5, q50, q95, relative * sd)


def moments(draws: Any) -> Moments:
    """Return the moments of independent draws, shape (S,)."""
    q5, q50, q95 = np.quantile(draws, (0.05, 0.5, 0.95))
    return Moments(float(np.mean(draws)), float(np.std(draws)), float(q5), float(q50), float(q95))


def by_number(values: dict[str, Any]) -> dict[str, Moments]:
    """Return the moments of every number of some variables, as references call them.

    Args:
        values: Draws by variable, each (S, *shape).

    Returns:
        Moments by `name`, or `name[i,j]` with places that count from 1.
    """
    found = {}
    for name, array in values.items():
        for place in np.ndindex(*array.shape[1:]):
            label = f"[{','.join(str(i + 1) for i in place)}]" if place else ""
            found[f"{name}{label}"] = moments(array[(slice(None), *place)])
    return found
