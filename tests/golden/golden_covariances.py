"""Covariances of Gaussian processes stated one pair of inputs at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

Tensor = torch.Tensor

_RELATIVE_JITTER = 2.0**-26
"""The root of the precision of doubles."""


def covariance(name: str, arguments: Sequence[Tensor]) -> Tensor:
    """Return the covariances of all pairs of one or two sets of inputs."""
    x, *numbers = arguments
    one_set = not numbers[0].dim()
    other = x if one_set else numbers.pop(0)
    rows = [[_OF_A_PAIR[name](a.reshape(-1), b.reshape(-1), *numbers) for b in other] for a in x]
    matrix = torch.stack([torch.stack(row) for row in rows])
    if one_set:
        matrix += _RELATIVE_JITTER * matrix.trace() / len(x) * torch.eye(len(x))
    return matrix


def _squared_exponential(a: Tensor, b: Tensor, scale: Tensor, length: Tensor) -> Tensor:
    return scale**2 * torch.exp(-0.5 * _distance(a, b, length) ** 2)


def _matern52(a: Tensor, b: Tensor, scale: Tensor, length: Tensor) -> Tensor:
    r = math.sqrt(5) * _distance(a, b, length)
    return scale**2 * (1 + r + r**2 / 3) * torch.exp(-r)


def _matern32(a: Tensor, b: Tensor, scale: Tensor, length: Tensor) -> Tensor:
    r = math.sqrt(3) * _distance(a, b, length)
    return scale**2 * (1 + r) * torch.exp(-r)


def _exponential(a: Tensor, b: Tensor, scale: Tensor, length: Tensor) -> Tensor:
    return scale**2 * torch.exp(-_distance(a, b, length))


def _rational(a: Tensor, b: Tensor, scale: Tensor, length: Tensor, mixture: Tensor) -> Tensor:
    return scale**2 * (1 + _distance(a, b, length) ** 2 / (2 * mixture)) ** -mixture


def _periodic(a: Tensor, b: Tensor, scale: Tensor, length: Tensor, period: Tensor) -> Tensor:
    waves = torch.sin(math.pi * (a - b) / period) / length
    return scale**2 * torch.exp(-2 * (waves**2).sum())


def _linear(a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    return scale**2 * a @ b


def _distance(a: Tensor, b: Tensor, length: Tensor) -> Tensor:
    return torch.linalg.norm((a - b) / length)


_OF_A_PAIR: dict[str, Callable[..., Tensor]] = {
    "squared_exponential": _squared_exponential,
    "matern52": _matern52,
    "matern32": _matern32,
    "exponential_kernel": _exponential,
    "rational_quadratic": _rational,
    "periodic_kernel": _periodic,
    "linear_kernel": _linear,
}
