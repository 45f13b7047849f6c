"""Adam, its form with decoupled weight decay, and Pyro's ClippedAdam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.engine.optimisers.rule import Slots


@dataclass(frozen=True)
class Adam:
    """Adam: steps along the running mean of the gradient, in units of its running size.

    The textbook corrects both running means for their start at zero at each step. Here the same
    quotient is written so that the corrections touch two numbers instead of two vectors:

        theta - [r √c₂ / c₁] m / (√v + [ε √c₂]),    cᵢ = 1 - βᵢᵗ

    The brackets are the first two entries of a row; the third is the share of ``theta`` that
    decoupled weight decay leaves.

    Sources: Kingma and Ba, "Adam" (2015); Loshchilov and Hutter, "Decoupled weight decay
    regularization" (2019), for ``decoupled_weight_decay``; Reddi, Kale and Kumar, "On the
    convergence of Adam and beyond" (2018), for ``amsgrad``.

    Attributes:
        lr: Base learning rate.
        beta1: Decay rate of the running mean of the gradient.
        beta2: Decay rate of the running mean of its square.
        eps: Added to the root of the corrected mean square.
        weight_decay: Decay of the parameters towards zero.
        decoupled_weight_decay: Whether the decay scales the parameters (AdamW), or else is a
            penalty whose slope is added to the gradient.
        amsgrad: Whether the greatest mean square so far takes the place of the present one.
    """

    lr: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    decoupled_weight_decay: bool = False
    amsgrad: bool = False

    def start(self, theta: Tensor) -> Slots:
        """The running means ``mean`` and ``square`` (with AMSGrad ``largest``), all zero."""
        names = ("mean", "square", "largest") if self.amsgrad else ("mean", "square")
        return {name: torch.zeros_like(theta) for name in names}

    def rows(self, steps: Tensor, rates: Tensor) -> Tensor:
        """Step size, epsilon and kept share of ``theta``: shape (K, 3)."""
        numbers = steps.double()
        root = (1.0 - self.beta2**numbers).sqrt()
        size = rates * root / (1.0 - self.beta1**numbers)
        return torch.stack([size, self.eps * root, 1.0 - rates * self.weight_decay], dim=1)

    def step(
        self, theta: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], row: Tensor
    ) -> tuple[Tensor, Slots]:
        """One update; see ``Optimiser.step``."""
        origin = theta
        if self.weight_decay and self.decoupled_weight_decay:
            origin = row[2] * theta
        elif self.weight_decay:
            gradient = gradient + self.weight_decay * theta
        mean = self.beta1 * slots["mean"] + (1.0 - self.beta1) * gradient
        deviation = self._deviation(gradient, mean)
        square = self.beta2 * slots["square"] + (1.0 - self.beta2) * (deviation * deviation)
        new = {"mean": mean, "square": square}
        if self.amsgrad:
            new["largest"] = square = torch.maximum(slots["largest"], square)
        return origin - row[0] * (mean / (square.sqrt() + row[1])), new

    def _deviation(self, gradient: Tensor, mean: Tensor) -> Tensor:
        """That whose mean square scales the step."""
        return gradient


@dataclass(frozen=True, kw_only=True)
class ClippedAdam(Adam):
    """Pyro's Adam with clipping: every element of the gradient is kept within a bound.

    It departs from Adam in two more ways: the rate decays by itself, and ``eps`` is added to the
    root of the mean square before that is corrected for its start.

    Source of ``centered_variance``: Rengaraj et al., "A two-step machine learning method for
    predicting the formation energy of ternary compounds" (2023), equation 2.

    Attributes:
        clip_norm: Greatest absolute value of an element of the gradient.
        lrd: Factor on the rate from step to step, from the first step on.
        centered_variance: Whether the running variance of the gradient about its running mean
            takes the place of its mean square.
    """

    clip_norm: float
    lrd: float
    centered_variance: bool

    def rows(self, steps: Tensor, rates: Tensor) -> Tensor:
        """Step size, epsilon and kept share of ``theta``: shape (K, 3)."""
        rows = super().rows(steps, rates * self.lrd ** steps.double())
        rows[:, 1] = self.eps
        return rows

    def step(
        self, theta: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], row: Tensor
    ) -> tuple[Tensor, Slots]:
        """One update; see ``Optimiser.step``."""
        clipped = gradient.clamp(-self.clip_norm, self.clip_norm)
        return super().step(theta, clipped, slots, row)

    def _deviation(self, gradient: Tensor, mean: Tensor) -> Tensor:
        return gradient - mean if self.centered_variance else gradient
