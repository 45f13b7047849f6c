"""Stochastic gradient steps, with momentum where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.engine.optimisers.rule import Slots


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent as torch has it: the velocity does not hold the rate.

        v ← momentum v + [share] g,    theta ← theta - [r] v

    The first step sets the velocity to the gradient whatever the dampening, which is why the
    share of the gradient is an entry of the row.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning"
    (2013), for Nesterov's form.

    Attributes:
        lr: Base learning rate.
        momentum: Share of the velocity that is kept.
        dampening: Share of the gradient that does not enter the velocity.
        weight_decay: Weight of the penalty that draws the parameters towards zero.
        nesterov: Whether the step looks ahead by one further share of the velocity.

    Raises:
        ValueError: For Nesterov's form without momentum or with dampening.
    """

    lr: float
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.nesterov and (self.momentum <= 0.0 or self.dampening != 0.0):
            raise ValueError("SGD: nesterov needs a momentum above 0 and a dampening of 0")

    def start(self, theta: Tensor) -> Slots:
        """The ``velocity``, zero; nothing without momentum."""
        return {"velocity": torch.zeros_like(theta)} if self.momentum else {}

    def rows(self, steps: Tensor, rates: Tensor) -> Tensor:
        """Rate, and share of the gradient in the velocity: shape (K, 2)."""
        share = torch.full_like(rates, 1.0 - self.dampening).masked_fill(steps == 1, 1.0)
        return torch.stack([rates, share], dim=1)

    def step(
        self, theta: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], row: Tensor
    ) -> tuple[Tensor, Slots]:
        """One update; see ``Optimiser.step``."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * theta
        if not self.momentum:
            return theta - row[0] * gradient, {}
        velocity = self.momentum * slots["velocity"] + row[1] * gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return theta - row[0] * direction, {"velocity": velocity}
