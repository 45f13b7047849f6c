"""The circle as a support: angles in radians, of any turn, with a density that has an integral."""

from __future__ import annotations

import math
from typing import Any

import torch
from pyro.distributions import constraints
from torch import Tensor
from torch.distributions import biject_to, transform_to
from torch.distributions.transforms import Transform

TURN = 2.0 * math.pi


class _Circle(constraints.Constraint):
    """Angles in radians: any number is one, and stands for a point of the circle."""

    def check(self, value: Tensor) -> Tensor:
        """Whether a value is a number."""
        return constraints.real.check(value)


circle = _Circle()


class _AnyTurn(Transform):
    r"""The identity, with the share that each turn has of the points of the circle.

    A density on the circle repeats itself along the real line, where it has no integral. Here the
    angles of all turns share the density of their point: where a Jacobian stands, they have

    .. math:: w(x) = 2 \pi N(x; 0, (2 \pi)^2), \quad \sum_k w(x + 2 \pi k) = 1 \pm 6 \cdot 10^{-9}.

    So the line has a proper density, is cut nowhere, and what is drawn from it is, modulo a turn,
    a draw of the density on the circle.
    """

    domain = codomain = constraints.real
    bijective, sign = True, 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _AnyTurn)

    __hash__ = Transform.__hash__

    def _call(self, x: Tensor) -> Tensor:
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The logarithm of the share, of the shape of ``x``."""
        return -0.5 * (x / TURN).square() - 0.5 * math.log(2.0 * math.pi)


for registry in (biject_to, transform_to):
    registry.register(_Circle, lambda _: _AnyTurn())


def support_of_angles(one_turn: bool) -> constraints.Constraint:
    """The support of an angle: one turn around zero, for a model that uses it as a number."""
    return constraints.interval(-math.pi, math.pi) if one_turn else circle


def is_circular(support: Any) -> bool:
    """Whether the numbers of a support are angles."""
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return isinstance(support, _Circle)


def around_their_mean(angles: Tensor) -> Tensor:
    """Draws of angles, shape (S, ...), in the turn around their circular mean in [-pi, pi]."""
    middle = torch.atan2(angles.sin().mean(0), angles.cos().mean(0))
    return angles - TURN * torch.round((angles - middle) / TURN)
