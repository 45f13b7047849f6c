"""An update rule that updates nothing: the gradient is kept, to be averaged first.

A step with this rule is a whole step to everything that makes steps: Python, a graph, compiled
code. So each of them can work out a share without knowing of other processes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autoguide_core.engine.optimisers.rule import Slots

GRADIENT = "gradient"


class Handover:
    """Leaves the parameters as they are, and the gradient of the loss in a slot."""

    lr = 0.0

    def start(self, theta: Tensor) -> Slots:
        """A place for the gradient, (D,)."""
        return {GRADIENT: torch.zeros_like(theta)}

    def rows(self, steps: Tensor, rates: Tensor) -> Tensor:
        """Nothing has to be known of a step; a row of one zero."""
        return torch.zeros(len(steps), 1, dtype=torch.float64)

    def step(
        self, theta: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], row: Tensor
    ) -> tuple[Tensor, Slots]:
        """Hand the gradient over."""
        return theta, {GRADIENT: gradient}
