"""The runner for runs that are over before a step would have been recorded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoguide_core.engine.curvature.landing import LandingEstimator
from autoguide_core.engine.optimisers import Optimiser
from autoguide_core.engine.stepping.step import (
    CARRY,
    SLOT,
    State,
    part_of,
    prefixed,
    restore,
)


class InterpretedRunner:
    """Lets torch run the graph of the density, and Python what is around it.

    It stops before the update of a step whose ELBO is not finite.

    Args:
        estimator: The estimator, of a density that draws no random numbers.
        optimiser: The update rule.
    """

    name, halts = "eager", True

    def __init__(self, estimator: LandingEstimator, optimiser: Optimiser) -> None:
        self._estimator = estimator
        self._optimiser = optimiser

    def run(self, state: State, noise: Sequence[Tensor], rows: Tensor) -> Tensor:
        """Make K steps; see `Runner`."""
        elbo = torch.full((len(rows),), torch.nan, dtype=torch.float64)
        (given,) = noise
        with torch.no_grad():
            for k, row in enumerate(rows):
                elbo[k], slopes, carry = self._estimator.estimate(part_of(state, CARRY), given[k])
                if not elbo[k].isfinite():
                    break
                theta, slots = state["theta"], part_of(state, SLOT)
                theta, slots = self._optimiser.step(theta, -slopes, slots, row)
                restore(state, {"theta": theta, **prefixed(SLOT, slots), **prefixed(CARRY, carry)})
        return elbo
