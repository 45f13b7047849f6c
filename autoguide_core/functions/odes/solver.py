"""What solves an equation for many lanes at once, and the numbers by which graphs know solvers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor

Derivative = Callable[..., Tensor]
"""``(t, y, *arguments)`` to dy/dt; the dimension on the left of all of them is the lanes'."""


class Solver(Protocol):
    """Carries states over intervals of time.

    A lane is one solution: of a draw, of a subject, or of both. There are B of them.
    """

    def forward(
        self,
        state: Tensor,
        starts: Tensor,
        widths: Tensor,
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
    ) -> Tensor:
        """Solve.

        Args:
            state: The state before the first interval, (B, *event).
            starts: When each interval begins, (G, B).
            widths: How long each one is, (G, B).
            arguments: Further arguments of the derivative, (B, *event), or (*event) if shared.
            shared: Which arguments are the same for all lanes.

        Returns:
            The state after each interval, (G, B, *event); not finite where there is none.
        """
        ...

    def backward(
        self,
        state: Tensor,
        starts: Tensor,
        widths: Tensor,
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
        solution: Tensor,
        slopes: Tensor,
    ) -> list[Tensor]:
        """Carry slopes of some number back.

        Args:
            state: As in `forward`, like all up to `solution`, which is what that returned.
            starts: See there.
            widths: See there.
            arguments: See there.
            shared: See there.
            solution: See there.
            slopes: The number's slopes in the solution, (G, B, *event).

        Returns:
            Its slopes in the state, and in each of the arguments that are not shared.
        """
        ...


_SOLVERS: list[Solver] = []
_NUMBERS: dict[tuple[Any, ...], int] = {}


def number_of(key: tuple[Any, ...], make: Callable[[], Solver]) -> int:
    """The number of the solver of a key, made if it is new.

    Solvers are kept for good: graphs know them by number, and there is one for each derivative.
    """
    if key not in _NUMBERS:
        _SOLVERS.append(make())
        _NUMBERS[key] = len(_SOLVERS) - 1
    return _NUMBERS[key]


def numbered(number: int) -> Solver:
    """The solver of a number."""
    return _SOLVERS[number]
