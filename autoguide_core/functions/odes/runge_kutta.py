"""Steps of explicit Runge–Kutta methods (Hairer, Nørsett and Wanner, 1993, chapter II.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.functions.odes.solver import Derivative


@dataclass(frozen=True)
class Tableau:
    """A method's coefficients: stage i is at ``nodes[i]``, from stages by ``matrix[i]``."""

    nodes: tuple[float, ...]
    matrix: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]


TABLEAUX: Mapping[str, Tableau] = {
    "rk4": Tableau(
        (0, 1 / 2, 1 / 2, 1),
        ((), (1 / 2,), (0, 1 / 2), (0, 0, 1)),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
    "midpoint": Tableau((0, 1 / 2), ((), (1 / 2,)), (0, 1)),
    "euler": Tableau((0,), ((),), (1,)),
}
"""The methods by name."""


@dataclass(frozen=True)
class Steps:
    """A method for an equation.

    Attributes:
        derivative: The right side.
        tableau: The method.
    """

    derivative: Derivative
    tableau: Tableau

    def there(
        self, state: Tensor, start: Tensor, width: Tensor, arguments: Sequence[Tensor]
    ) -> Tensor:
        """The state (B, *event) after a step from `start` (B,) that is `width` (B,) long."""
        across = width.reshape(-1, *[1] * (state.dim() - 1))
        slopes: list[Tensor] = []
        for node, row in zip(self.tableau.nodes, self.tableau.matrix, strict=True):
            at = _moved(state, across, row, slopes)
            slope = self.derivative(start + node * width, at, *arguments)
            slopes.append(torch.broadcast_to(slope, state.shape))
        return _moved(state, across, self.tableau.weights, slopes)

    def back(
        self,
        slopes: Tensor,
        state: Tensor,
        start: Tensor,
        width: Tensor,
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
    ) -> list[Tensor]:
        """The slopes in a step's state and unshared arguments, from those in its result."""
        with torch.enable_grad():
            leaf = state.detach().requires_grad_()
            given = [
                argument if one else argument.detach().requires_grad_()
                for argument, one in zip(arguments, shared, strict=True)
            ]
            own = [leaf, *(value for value, one in zip(given, shared, strict=True) if not one)]
            after = self.there(leaf, start, width, given)
            found = torch.autograd.grad(after, own, slopes, allow_unused=True)
        return [torch.zeros_like(v) if g is None else g for v, g in zip(own, found, strict=True)]


def _moved(
    state: Tensor, width: Tensor, weights: Sequence[float], slopes: Sequence[Tensor]
) -> Tensor:
    parts = [weight * slope for weight, slope in zip(weights, slopes, strict=True) if weight]
    return state + width * sum(parts[1:], parts[0]) if parts else state
