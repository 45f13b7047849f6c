"""Exponential averaging of the iterates, which removes the last steps' gradient noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.engine.optimisers.rule import Optimiser, Slots

AVERAGE = "average"
"""The slot that holds the average."""

_SHARE_OF_RUN = 25
"""The average reaches back over a twenty-fifth of the run (decay 0.995 at 5,000 steps)."""


@dataclass(frozen=True)
class Averaged:
    """A rule whose iterates are averaged on the side, in the slot ``average``.

        a ← a + (theta - a) / horizon

    The steps themselves are those of the rule. The average's decay is the last entry of a row and
    no constant, so that the compiled step is the same for runs of every length.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992),
    in its exponential form.

    Attributes:
        rule: The rule that makes the steps.
        total: Number of steps of the whole run, which sets the horizon.
    """

    rule: Optimiser
    total: int

    @property
    def lr(self) -> float:
        """The base learning rate of the rule."""
        return self.rule.lr

    def start(self, theta: Tensor) -> Slots:
        """The slots of the rule, and the average, which starts at ``theta``."""
        return {**self.rule.start(theta), AVERAGE: theta.detach().clone()}

    def rows(self, steps: Tensor, rates: Tensor) -> Tensor:
        """The rows of the rule, with the share of the average that is kept as one more column."""
        rows = self.rule.rows(steps, rates)
        kept = 1.0 - 1.0 / max(1.0, self.total / _SHARE_OF_RUN)
        return torch.cat([rows, rows.new_full((len(rows), 1), kept)], dim=1)

    def step(
        self, theta: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], row: Tensor
    ) -> tuple[Tensor, Slots]:
        """One update, taken into the average; see ``Optimiser.step``."""
        new, updated = self.rule.step(theta, gradient, slots, row[:-1])
        # Counted from the iterate, this is exactly the iterate where nothing is to be kept.
        return new, {**updated, AVERAGE: new + row[-1] * (slots[AVERAGE] - new)}
