"""What every update rule is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

Slots = dict[str, Tensor]


class Optimiser(Protocol):
    """An update rule without state of its own: what it remembers goes in and out as ``slots``."""

    @property
    def lr(self) -> float:
        """The base learning rate, which a schedule scales."""

    def start(self, theta: Tensor) -> Slots:
        """The slots before the first step, each like ``theta``.

        Args:
            theta: The parameters at the start, shape (D,).
        """

    def rows(self, steps: Tensor, rates: Tensor) -> Tensor:
        """What ``step`` has to know of each step, worked out on the host.

        Args:
            steps: Numbers of the steps, from 1, shape (K,).
            rates: Learning rates of those steps, float64, shape (K,).

        Returns:
            One row for each step, float64, shape (K, H); H belongs to the rule.
        """

    def step(
        self, theta: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], row: Tensor
    ) -> tuple[Tensor, Slots]:
        """One update, which changes none of its arguments.

        Args:
            theta: The parameters, shape (D,).
            gradient: Gradient of the loss, which is to be minimised, shape (D,).
            slots: The slots that the step before, or ``start``, has left.
            row: The row of this step, in the dtype of ``theta``, shape (H,).

        Returns:
            The new parameters and the new slots.
        """
