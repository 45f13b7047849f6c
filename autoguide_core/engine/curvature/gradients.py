"""Values, gradients and Hessians of a log density, many points at a time.

The density and its gradient are traced once, then vectorised over points and traced again. What
cannot be traced is evaluated by ``vmap`` over the model itself, or point by point, at the same
values. Where the model cannot be evaluated (see ``refusals``) the density is NaN, and the other
points of a batch are as they are.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import torch

from autoguide_core.engine.refusals import REFUSALS, is_refusal
from autoguide_core.engine.tracing.trace import Function, retrace, touched, trace_function

_DISTANCES = (0.1, 0.01, 0.001)
"""How far from a graph's start it may be compared with the model; the greatest that can be had."""

Density = Callable[..., torch.Tensor]
Inputs = tuple[torch.Tensor, ...]
ValueAndGradient = Callable[[Inputs], tuple[torch.Tensor, torch.Tensor]]


class Evaluator(Protocol):
    """What evaluates a log density."""

    def value_and_grad(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log densities (S,) and gradients (S, D) at points (S, D)."""
        ...

    def hessian(self, point: torch.Tensor) -> torch.Tensor:
        """The matrix of second derivatives (D, D) at one point (D,)."""
        ...


class Gradients:
    """Values, gradients and Hessians of a log density, many points at a time.

    Args:
        density: A scalar function of a vector of shape (D,), float64, and of what is known.
        start: A point of finite density, shape (D,).
        *known: Further arguments of the density, tensors. Nothing need be traced again where they
            change; what is recorded or compiled from evaluations takes them as they then are.

    Attributes:
        start: As given.
        known: As given; to be replaced by others of the same shapes.
        note: What had to be given up, or None where the density was traced.
        obstacle: Why values and gradients are not those of a graph, or None where they are.
    """

    def __init__(self, density: Density, start: torch.Tensor, *known: torch.Tensor) -> None:
        self.known = known
        self.note: str | None = None
        self.obstacle: str | None = None
        self.start = start
        self._density, self._example = density, (start, *known)
        self._graph: Function | None = None
        self._batched: dict[int, Function] = {}
        self._hessian: Function | None = None
        try:
            self._graph = trace_function(
                _with_gradient(density), (start, *known), _elsewhere(density, start, known)
            )
        except Exception as error:  # tracing may fail in as many ways as a model has operations
            self._give_up(f"the density could not be traced ({_short(error)})")

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy is traced again: graphs are functions made on the way."""
        return type(self), (self._density, self.start, *self.known)

    @cached_property
    def cost(self) -> float:
        """How many numbers one evaluation at one point touches; infinite where it is not known."""
        if self._graph is None:
            return math.inf
        return float(touched(self._graph, self._example))

    def value_and_grad(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluate at S points.

        Args:
            points: Shape (S, D).

        Returns:
            Log densities (S,) and gradients (S, D); NaN and zeros where the model cannot be
            evaluated.
        """
        try:
            return self.all_at_once(points)
        except Exception as error:
            if not is_refusal(error):
                raise
        if len(points) == 1:
            return points.new_full((1,), math.nan), torch.zeros_like(points)
        pairs = [self.value_and_grad(point[None]) for point in points]
        return torch.cat([value for value, _ in pairs]), torch.cat([slope for _, slope in pairs])

    def all_at_once(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluate at S points as `value_and_grad` does; to be recorded.

        Raises:
            Exception: The model's own, if it cannot be evaluated at one of them.
        """
        count = len(points)
        if count not in self._batched:
            self._batched[count] = self._make_batched(count)
        with torch.no_grad():
            values, gradients = self._batched[count]((points, *self.known))
        return values, gradients

    def hessian(self, point: torch.Tensor) -> torch.Tensor:
        """The matrix of second derivatives at one point of shape (D,).

        Returns:
            Shape (D, D); NaN where the model cannot be evaluated.
        """
        if self._hessian is None:
            self._hessian = self._make_hessian(point)
        try:
            with torch.no_grad():
                rows: torch.Tensor = self._hessian(point)
        except Exception as error:
            if not is_refusal(error):
                raise
            return point.new_full((len(point), len(point)), math.nan)
        return 0.5 * (rows + rows.T)

    def _make_batched(self, count: int) -> Function:
        graph, (start, *known) = self._graph, self._example
        example = (start.repeat(count, 1), *known)
        if graph is not None and count == 1:
            return lambda inputs: _as_batch(graph((inputs[0][0], *inputs[1:])))
        of_points = (0, *(None for _ in self.known))
        if graph is not None:
            try:
                batched = torch.func.vmap(graph, in_dims=(of_points,))
                return retrace(batched, example)
            except Exception as error:  # as in the constructor
                self._give_up(f"the density could not be vectorised ({_short(error)})")
        by_grad = torch.func.vmap(torch.func.grad_and_value(self._density), in_dims=of_points)
        try:
            by_grad(*example)
        except (RuntimeError, ValueError, NotImplementedError):
            return self._one_by_one

        def evaluate(inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
            gradients, values = by_grad(*inputs)
            return values, gradients

        return evaluate

    def _give_up(self, obstacle: str) -> None:
        self.obstacle, self.note = obstacle, f"{obstacle}: it runs slowly"

    def _one_by_one(self, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        points, known = inputs[0], inputs[1:]
        pairs = [_with_gradient(self._density)((point, *known)) for point in points]
        return torch.stack([value for value, _ in pairs]), torch.stack([g for _, g in pairs])

    def _make_hessian(self, point: torch.Tensor) -> Function:
        """The derivative of the gradient's graph, where each operation has a true one."""
        if self._graph is not None:
            # An operation without a second derivative fails in its own way, or says nothing.
            with contextlib.suppress(Exception):
                if self._agrees(self._exact_hessian(point), point):
                    return self._exact_hessian
        return self._hessian_by_differences

    def _exact_hessian(self, point: torch.Tensor) -> torch.Tensor:
        """Reverse mode over the graph of the gradient, all rows at once.

        It is called some ten times only, so that it would not pay to trace it. ``torch.func`` does
        the same, but first imports torch's compiler, for more than a second.
        """
        assert self._graph is not None
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")  # of operations that are taken row by row
            leaf = point.detach().requires_grad_()
            _, slope = self._graph((leaf, *self.known))
            rows = torch.eye(len(point), dtype=point.dtype, device=point.device)
            (hessian,) = torch.autograd.grad(slope, leaf, rows, is_grads_batched=True)
        return torch.as_tensor(hessian)

    def _agrees(self, hessian: torch.Tensor, point: torch.Tensor) -> bool:
        """Whether a Hessian tells how the gradient changes along the diagonal."""
        step = 6e-6 * point.abs().clamp(min=1.0)
        (_, ahead), (_, behind) = (
            self.value_and_grad(p[None]) for p in (point + step, point - step)
        )
        slopes = torch.cat([ahead, behind])
        change = (ahead - behind)[0]
        error = (2.0 * hessian @ step - change).norm()
        return bool(error <= 1e-3 * (hessian.abs() @ step).norm() + 1e-8 * slopes.norm())

    def _hessian_by_differences(self, point: torch.Tensor) -> torch.Tensor:
        return hessian_by_differences(self, point)


def hessian_by_differences(evaluator: Evaluator, point: torch.Tensor) -> torch.Tensor:
    """Central differences of gradients, with steps of the cube root of the precision.

    Args:
        evaluator: What gives the gradients.
        point: Where, shape (D,).

    Returns:
        Shape (D, D), symmetric but for rounding.
    """
    steps = 6e-6 * point.abs().clamp(min=1.0)
    shifts = torch.diag(steps)
    _, gradients = evaluator.value_and_grad(torch.cat([point + shifts, point - shifts]))
    ahead, behind = gradients.split(len(point))
    return (ahead - behind) / (2.0 * steps[:, None])


def _with_gradient(density: Density) -> ValueAndGradient:
    """Value and gradient by plain reverse mode, which takes every ``autograd.Function``."""

    def evaluate(inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        point, *known = inputs
        with torch.enable_grad():
            leaf = point.detach().requires_grad_()
            value = density(leaf, *known)
            (gradient,) = torch.autograd.grad(value, leaf)
        return value.detach(), gradient

    return evaluate


def _as_batch(one: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    value, gradient = one
    return value[None], gradient[None]


def _elsewhere(density: Density, start: torch.Tensor, known: Inputs) -> Inputs:
    """Other inputs near the start, where the density is finite too if that can be had."""
    # Any other knowledge will do for a check, but not one that changes nothing.
    others = tuple(0.5 * one + 0.1 for one in known)
    ahead = torch.cos(torch.arange(len(start), dtype=start.dtype, device=start.device))
    for distance in _DISTANCES:
        point = start + distance * ahead
        with contextlib.suppress(*REFUSALS):  # with gradients, which a model may take
            if math.isfinite(float(density(point, *others).detach())):
                break
    return point, *others


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."
