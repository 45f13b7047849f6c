"""Gradient clipping, by value and by norm, in front of any update rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from autoguide_core.engine.optimisers.rule import Optimiser, Slots

_GUARD = 1e-6
"""Added to the norm, as torch does, so that a zero gradient can be divided by it."""


@dataclass(frozen=True)
class Clipped:
    """A rule that sees the gradient clipped: first each element, then the norm of the whole.

    The elements come first so that one that has exploded cannot take the length from all others.

    Source of clipping by norm: Pascanu, Mikolov and Bengio, "On the difficulty of training
    recurrent neural networks" (2013).

    Attributes:
        rule: The rule that makes the step.
        max_norm: Greatest Euclidean norm of the gradient; infinite for none.
        max_value: Greatest absolute value of an element; infinite for none.
    """

    rule: Optimiser
    max_norm: float = math.inf
    max_value: float = math.inf

    @property
    def lr(self) -> float:
        """The base learning rate of the rule."""
        return self.rule.lr

    def start(self, theta: Tensor) -> Slots:
        """The slots of the rule."""
        return self.rule.start(theta)

    def rows(self, steps: Tensor, rates: Tensor) -> Tensor:
        """The rows of the rule."""
        return self.rule.rows(steps, rates)

    def step(
        self, theta: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], row: Tensor
    ) -> tuple[Tensor, Slots]:
        """One update with the clipped gradient; see ``Optimiser.step``."""
        if math.isfinite(self.max_value):
            gradient = gradient.clamp(-self.max_value, self.max_value)
        if math.isfinite(self.max_norm):
            norm = (gradient * gradient).sum().sqrt()
            gradient = gradient * (self.max_norm / (norm + _GUARD)).clamp(max=1.0)
        return self.rule.step(theta, gradient, slots, row)
