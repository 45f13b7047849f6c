"""Covariance functions of Gaussian processes (Rasmussen and Williams, 2006, chapter 4).

Each takes the inputs `x`, shape (..., n, d), a `scale` (...), the process's standard deviation,
and where it has one a `length` (..., d), one for each feature, or (..., 1), one for all; numbers
go for any of them. It returns the covariances of all pairs, (..., n, n), or those of `x` with
`other` inputs (..., m, d), (..., n, m).

Where all inputs are one set, the root of the machine precision, times the mean variance, is added
on the diagonal, so that the matrix has a Cholesky factor in spite of rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

Number: TypeAlias = Tensor | float


def jitter(covariance: Tensor) -> Tensor:
    """Add the root of the machine precision, times the mean variance, to the diagonal.

    Args:
        covariance: Shape (..., n, n).
    """
    mean = covariance.diagonal(dim1=-2, dim2=-1).mean(-1)
    amount = math.sqrt(torch.finfo(covariance.dtype).eps) * mean
    size = covariance.shape[-1]
    eye = torch.eye(size, dtype=covariance.dtype, device=covariance.device)
    return covariance + amount[..., None, None] * eye


def squared_exponential(
    x: Tensor, scale: Number, length: Number, other: Tensor | None = None
) -> Tensor:
    """``scale² exp(−r² / 2)``, where r is the distance over the length."""
    return _stationary(x, scale, length, other, lambda square: torch.exp(-0.5 * square))


def matern52(x: Tensor, scale: Number, length: Number, other: Tensor | None = None) -> Tensor:
    """``scale² (1 + √5 r + 5 r² / 3) exp(−√5 r)``."""

    def shape(square: Tensor) -> Tensor:
        distance = math.sqrt(5) * _root(square)
        return (1 + distance + 5 / 3 * square) * torch.exp(-distance)

    return _stationary(x, scale, length, other, shape)


def matern32(x: Tensor, scale: Number, length: Number, other: Tensor | None = None) -> Tensor:
    """``scale² (1 + √3 r) exp(−√3 r)``."""

    def shape(square: Tensor) -> Tensor:
        distance = math.sqrt(3) * _root(square)
        return (1 + distance) * torch.exp(-distance)

    return _stationary(x, scale, length, other, shape)


def exponential_kernel(
    x: Tensor, scale: Number, length: Number, other: Tensor | None = None
) -> Tensor:
    """``scale² exp(−r)``."""
    return _stationary(x, scale, length, other, lambda square: torch.exp(-_root(square)))


def rational_quadratic(
    x: Tensor, scale: Number, length: Number, mixture: Number, other: Tensor | None = None
) -> Tensor:
    """``scale² (1 + r² / (2 mixture))^(−mixture)``; `mixture` has the shape of `scale`."""
    power = _for_pairs(mixture)
    return _stationary(x, scale, length, other, lambda square: (1 + square / (2 * power)) ** -power)


def periodic_kernel(
    x: Tensor, scale: Number, length: Number, period: Number, other: Tensor | None = None
) -> Tensor:
    """``scale² exp(−2 Σ sin²(π d / period) / length²)``; `period` has the shape of `scale`."""
    apart = x.unsqueeze(-2) - (x if other is None else other).unsqueeze(-3)
    if isinstance(period, Tensor):
        period = period[..., None, None, None]
    width = length[..., None, None, :] if isinstance(length, Tensor) else length
    waves = torch.sin(math.pi * apart / period)
    square = (waves / width).square().sum(-1)
    return _finished(_for_pairs(scale) ** 2 * torch.exp(-2 * square), other)


def linear_kernel(x: Tensor, scale: Number, other: Tensor | None = None) -> Tensor:
    """``scale² x x'``."""
    product = x @ (x if other is None else other).mT
    return _finished(_for_pairs(scale) ** 2 * product, other)


def _stationary(
    x: Tensor,
    scale: Number,
    length: Number,
    other: Tensor | None,
    shape: Callable[[Tensor], Tensor],
) -> Tensor:
    """``scale² shape(r²)``."""
    width = length.unsqueeze(-2) if isinstance(length, Tensor) else length
    left = x / width
    right = left if other is None else other / width
    square = (left.unsqueeze(-2) - right.unsqueeze(-3)).square().sum(-1)
    return _finished(_for_pairs(scale) ** 2 * shape(square), other)


def _finished(covariance: Tensor, other: Tensor | None) -> Tensor:
    return jitter(covariance) if other is None else covariance


def _root(square: Tensor) -> Tensor:
    """The square root, with a gradient of 0 at 0, where that of the root itself is infinite."""
    apart = square > 0
    return torch.where(apart, torch.where(apart, square, 1.0).sqrt(), 0.0)


def _for_pairs(value: Number) -> Number:
    """A number for each process, ready to go with the covariances of all pairs."""
    return value[..., None, None] if isinstance(value, Tensor) else value
