"""A solver whose steps torchdiffeq chooses, for equations that fixed steps cannot follow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from autoguide_core.functions.odes.fixed import aside
from autoguide_core.functions.odes.solver import Derivative


@cache
def _integrator() -> Callable[..., Tensor]:
    """torchdiffeq's, which takes a second to import, and warns of what it asks of torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchdiffeq import odeint
    found: Callable[..., Tensor] = odeint
    return found


ADAPTIVE: Mapping[str, str] = {
    "dopri5": "dopri5",
    "dopri8": "dopri8",
    "adams": "implicit_adams",
}
"""torchdiffeq's methods, by the names they have here."""


class Adaptive:
    """Solves with steps that keep to tolerances; see `autoguide_core.functions.odes.solver.Solver`.

    Args:
        derivative: The right side.
        method: torchdiffeq's name of the method.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
    """

    def __init__(self, derivative: Derivative, method: str, rtol: float, atol: float) -> None:
        self._derivative = derivative
        self._method = method
        self._choices = {"rtol": rtol, "atol": atol, "options": {"norm": _worst}}

    def forward(
        self,
        state: Tensor,
        starts: Tensor,
        widths: Tensor,
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
    ) -> Tensor:
        """See `Solver.forward`."""
        return aside(lambda: self._solved(state, starts, widths, arguments, shared).detach())

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
        """See `Solver.backward`."""

        def slopes_of_steps() -> list[Tensor]:
            leaf = state.detach().requires_grad_()
            given = [
                value if one else value.detach().requires_grad_()
                for value, one in zip(arguments, shared, strict=True)
            ]
            own = [leaf, *(value for value, one in zip(given, shared, strict=True) if not one)]
            solved = self._solved(leaf, starts, widths, given, shared)
            found = torch.autograd.grad(solved, own, slopes, allow_unused=True)
            return [
                torch.zeros_like(v) if g is None else g for v, g in zip(own, found, strict=True)
            ]

        return aside(slopes_of_steps)

    def _solved(
        self,
        state: Tensor,
        starts: Tensor,
        widths: Tensor,
        arguments: Sequence[Tensor],
        shared: Sequence[bool],
    ) -> Tensor:
        """The solution of all lanes; each by itself where that of one cannot be continued."""
        try:
            return self._steps(state, starts, widths, arguments)
        except AssertionError:  # the steps would have to be too short
            if len(state) == 1:
                return torch.full((len(starts), *state.shape), torch.nan).to(state)
        return torch.cat(
            [
                self._solved(
                    state[lane : lane + 1],
                    starts[:, lane : lane + 1],
                    widths[:, lane : lane + 1],
                    [
                        v if one else v[lane : lane + 1]
                        for v, one in zip(arguments, shared, strict=True)
                    ],
                    shared,
                )
                for lane in range(len(state))
            ],
            1,
        )

    def _steps(
        self, state: Tensor, starts: Tensor, widths: Tensor, arguments: Sequence[Tensor]
    ) -> Tensor:
        """Interval by interval, each in the part of it that is over, which goes from 0 to 1."""
        ends = torch.tensor([0.0, 1.0], dtype=state.dtype, device=state.device)
        states, integrate = [], _integrator()
        for start, width in zip(starts, widths, strict=True):
            across = width.reshape(-1, *[1] * (state.dim() - 1))

            def slope(
                part: Tensor,
                at: Tensor,
                start: Tensor = start,
                width: Tensor = width,
                across: Tensor = across,
            ) -> Tensor:
                found = self._derivative(start + part * width, at, *arguments)
                return across * torch.broadcast_to(found, at.shape)

            state = integrate(slope, state, ends, method=self._method, **self._choices)[-1]
            states.append(state)
        return torch.stack(states)


def _worst(errors: Tensor) -> Tensor:
    """The largest error, so that the tolerance holds for each lane and not on the average."""
    return errors.abs().amax()
