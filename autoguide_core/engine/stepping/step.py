"""One step of a fit: a gradient of the ELBO, and the update that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.engine.estimators import Estimator
from autoguide_core.engine.optimisers import Optimiser
from autoguide_core.engine.stepping.draws import Draw
from autoguide_core.engine.stepping.supply import supplied

State = dict[str, Tensor]
"""Everything that goes from step to step, by name: ``theta`` (D,), the optimizer's slots as
``slot.<name>`` (D,), and what the estimator carries as ``carry.<name>``."""

SLOT, CARRY = "slot.", "carry."


def part_of(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The slots or the carry of a state, under their own names."""
    return {n.removeprefix(prefix): value for n, value in state.items() if n.startswith(prefix)}


def prefixed(prefix: str, values: Mapping[str, Tensor]) -> State:
    """Slots or carry under the names that they have in a state."""
    return {prefix + name: value for name, value in values.items()}


def copied(state: Mapping[str, Tensor]) -> State:
    """A copy of a state, to go back to."""
    return {name: value.clone() for name, value in state.items()}


def restore(state: State, before: Mapping[str, Tensor]) -> None:
    """Put a state back in place; what it has grown by meanwhile stays."""
    for name, value in before.items():
        now = state[name]
        (now if now.shape == value.shape else now[: len(value)]).copy_(value)


@dataclass(frozen=True)
class Step:
    """One step as a pure function of state, noise and the step's own numbers.

    It is split in two, since runs on several machines average the gradient in between.

    Attributes:
        estimator: Estimates the ELBO, with the parameters in place.
        optimiser: The update rule.
        leaves: The parameters, in their order in ``theta``.
        draws: What a step draws.
    """

    estimator: Estimator
    optimiser: Optimiser
    leaves: tuple[Tensor, ...]
    draws: tuple[Draw, ...] = ()

    def start(self, theta: Tensor) -> State:
        """The state before the first step; ``theta`` itself is part of it."""
        slots, carry = self.optimiser.start(theta), self.estimator.start()
        return {"theta": theta, **prefixed(SLOT, slots), **prefixed(CARRY, carry)}

    def gradient(self, carry: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Estimate the ELBO at the present values of the leaves.

        Returns:
            The ELBO in nats (a scalar), the gradient of the loss (D,) and the new carry.
        """
        estimate = self.estimator(carry)
        slopes = loss_slopes(estimate.surrogate, self.leaves)
        return estimate.elbo, torch.cat([slope.reshape(-1) for slope in slopes]), estimate.carry

    def update(self, state: Mapping[str, Tensor], gradient: Tensor, row: Tensor) -> State:
        """The parameters and slots after a step along a gradient (D,)."""
        slots = part_of(state, SLOT)
        theta, slots = self.optimiser.step(state["theta"], gradient, slots, row)
        return {"theta": theta, **prefixed(SLOT, slots)}

    def estimate(
        self, state: Mapping[str, Tensor], noise: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, State]:
        """The first half of a step: ELBO, gradient of the loss, and the state's new carry."""
        with supplied(self.draws, noise):
            elbo, gradient, carry = self.gradient(part_of(state, CARRY))
        return elbo, gradient, prefixed(CARRY, carry)

    def __call__(
        self, state: Mapping[str, Tensor], noise: Sequence[Tensor], row: Tensor
    ) -> tuple[State, Tensor]:
        """One whole step, which changes nothing in place.

        Args:
            state: The state; the leaves have the values of its ``theta``.
            noise: One tensor for each of ``draws``.
            row: What the optimizer has to know of this step.

        Returns:
            The new state, and the ELBO in nats before the update.
        """
        elbo, gradient, carry = self.estimate(state, noise)
        return {**self.update(state, gradient.detach(), row), **carry}, elbo


def loss_slopes(surrogate: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of the negative surrogate for each leaf, zero where it has none."""
    if not surrogate.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    slopes = torch.autograd.grad(-surrogate, leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if slope is None else slope
        for leaf, slope in zip(leaves, slopes, strict=True)
    ]
