"""Exponential averaging of the iterates, which removes the last steps' gradient noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch

_SHARE_OF_RUN = 25
"""The average reaches back over a twenty-fifth of the run (decay 0.995 at 5,000 steps)."""


class IterateAverage:
    """A running average ``a <- a + (p - a) / horizon`` of parameters.

    Source: Polyak and Juditsky (1992), in its exponential form.

    Args:
        parameters: The tensors to follow; their first values start the average.
        steps: Length of the run, which sets the horizon.
    """

    def __init__(self, parameters: Sequence[torch.Tensor], steps: int) -> None:
        self._parameters = list(parameters)
        self._average = [p.detach().clone() for p in parameters]
        self._weight = 1.0 / max(1.0, steps / _SHARE_OF_RUN)

    def add(self, parameters: Sequence[torch.Tensor]) -> None:
        """Follow further parameters, from their present values."""
        self._parameters.extend(parameters)
        self._average.extend(p.detach().clone() for p in parameters)

    def update(self) -> None:
        """Take the present values in."""
        torch._foreach_lerp_(self._average, [p.detach() for p in self._parameters], self._weight)

    def write_back(self) -> None:
        """Set the parameters to their averages."""
        for parameter, average in zip(self._parameters, self._average, strict=True):
            parameter.detach().copy_(average)
