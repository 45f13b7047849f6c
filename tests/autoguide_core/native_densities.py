"""Densities of data in rows, to be evaluated on both sides of each threshold of the code."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Density = Callable[[Tensor], Tensor]
"""A scalar function of a vector, which holds at least ``columns`` coefficients and two numbers."""


class Data:
    """Numbers that depend on their shape only."""

    def __init__(self, rows: int, columns: int, dtype: torch.dtype) -> None:
        self.rows, self.columns, self.dtype = rows, columns, dtype
        self._generator = torch.Generator().manual_seed(rows + 1000 * columns)
        self.x = self.normal(rows, columns)
        self.y = self.normal(rows)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        drawn = torch.randn(shape, generator=self._generator, dtype=torch.float64)
        return drawn.to(self.dtype)

    def whole(self, size: int, *shape: int) -> Tensor:
        """Whole numbers below ``size``."""
        return torch.randint(size, shape, generator=self._generator)


def _regression(data: Data) -> Density:
    def density(q: Tensor) -> Tensor:
        apart = (data.y - data.x @ q[: data.columns]) * torch.exp(q[-1])
        return data.rows * q[-1] - 0.5 * (apart * apart).sum()

    return density


def _logistic(data: Data) -> Density:
    """The coefficients stand in a matrix whose columns are the design's transposed."""
    outcome = (data.y > 0).to(data.dtype)

    def density(q: Tensor) -> Tensor:
        eta = q[: data.columns] @ data.x.T + q[-2]
        return (outcome * eta - functional.softplus(eta)).sum()

    return density


def _standardised(data: Data) -> Density:
    """A sum over rows is read by the next pass over them, and its sum by a third."""

    def density(q: Tensor) -> Tensor:
        eta = data.x @ q[: data.columns] + q[-1] * data.y
        centred = eta - eta.mean()
        scaled = centred / (centred.square().mean() + 1.0).sqrt()
        return (scaled * data.y).sum() + torch.tanh(scaled).square().sum()

    return density


def _twice(data: Data) -> Density:
    """The design is walked through, then across, then through again."""

    def density(q: Tensor) -> Tensor:
        once = data.x.T @ (data.x @ q[: data.columns] + q[-1]) / (data.rows + 1.0)
        return -0.5 * (data.x @ once - data.y).square().sum()

    return density


def _padded(data: Data) -> Density:
    def density(q: Tensor) -> Tensor:
        eta = torch.tanh(data.x @ q[: data.columns])
        wide = functional.pad(eta[:, None], (1, 2), value=1.5)
        long = functional.pad(eta[:-1] if data.rows else eta, (1, 0), value=-0.5)
        return (wide * q[-2]).sum(-1).square().sum() + q[-1] * (
            wide[:, 0] * wide[:, 1] * long
        ).sum()

    return density


def _placed(data: Data) -> Density:
    """Rows put into numbers, and into other rows."""

    def density(q: Tensor) -> Tensor:
        eta = data.x @ q[: data.columns]
        filled = torch.full((data.rows, 3), 3.0, dtype=data.dtype).select_scatter(eta, 1, 1)
        changed = (filled * q[-1]).slice_scatter(eta[:, None] * q[-2], 1, 2, 3)
        joined = torch.cat([changed, data.x * eta[:, None], torch.ones_like(filled[:, :1])], 1)
        return (joined * torch.cos(filled.sum(1))[:, None]).sum()

    return density


def _neighbours(data: Data) -> Density:
    """Rows that read other rows: nothing that a row's turn could do by itself."""

    def density(q: Tensor) -> Tensor:
        eta = torch.sin(data.x @ q[: data.columns])
        running = eta.cumsum(0) / (1.0 + data.rows)
        apart = eta[1:] - 0.5 * eta[:-1] + q[-1] * running[1:]
        return (apart * apart).sum() - (running.flip(0) * eta * q[-2]).sum()

    return density


def _effects(groups: int) -> Callable[[Data], Density]:
    """Effects of groups, fewer than the rows or more: gradients gathered from the rows."""

    def make(data: Data) -> Density:
        group = data.whole(groups, data.rows)
        start = data.normal(groups)

        def density(q: Tensor) -> Tensor:
            effect = start * q[-2] + torch.sin(start + q[-1])
            apart = data.y - data.x @ q[: data.columns] - effect[group]
            sums = apart.new_zeros(groups).index_add(0, group, apart)
            return -(apart.square().sum()) + (torch.tanh(sums) * effect).sum()

        return density

    return make


def _classes(classes: int) -> Callable[[Data], Density]:
    """Sums within the rows, over few or many columns; products with as many."""

    def make(data: Data) -> Density:
        outcome = data.whole(classes, data.rows, 1)
        weights = data.normal(data.columns, classes)

        def density(q: Tensor) -> Tensor:
            coefficients = weights * q[: data.columns, None] + q[-1] * weights.cos()
            logits = data.x @ coefficients
            picked = logits.log_softmax(-1).gather(1, outcome).sum()
            back = data.x.T @ torch.tanh(logits) / (1.0 + data.rows)
            return picked + (back * weights).sum() * q[-2] + logits.amax(1).sum()

        return density

    return make


def _extremes(data: Data) -> Density:
    def density(q: Tensor) -> Tensor:
        eta = data.x @ q[: data.columns] + q[-1] * data.y
        top = torch.stack([eta, eta.new_zeros(()).expand(data.rows), -eta], 1)
        value = top.max(1).values.sum() + q[-2] * (eta.argmin() if data.rows else 0)
        if data.rows:
            value = value + eta.amax() - eta.amin() * q[-2] + eta.max(0).values
        some = ((eta > 0).any() & ~(eta > 9).all()).to(data.dtype)
        return value + some * eta.logsumexp(0).clamp(min=-9.0)

    return density


def _whole(data: Data) -> Density:
    """Places that are computed, remainders, and a table."""
    table = data.normal(5)

    def density(q: Tensor) -> Tensor:
        eta = data.x @ q[: data.columns]
        place = (eta.detach() * 3.0).floor().long() % 5
        return ((table * q[-2])[place] * eta).sum() + torch.fmod(eta * q[-1], 0.75).sum()

    return density


def _turned(data: Data) -> Density:
    """Rows written as columns, and read along and across."""

    def density(q: Tensor) -> Tensor:
        scaled = data.x * torch.sin(data.x @ q[: data.columns])[:, None]
        turned = (scaled * q[-1]).T.contiguous().cumsum(1) / (1.0 + data.rows)
        return (turned * scaled.T).sum() + (turned.sum(1) * q[: data.columns]).sum() * q[-2]

    return density


def _two_lengths(data: Data) -> Density:
    """Two groups over different rows; a sum of the longer one is read by the shorter one."""
    other = data.normal(data.rows + 17, data.columns)

    def density(q: Tensor) -> Tensor:
        first = other @ q[: data.columns]
        mean = first.square().mean() + q[-1]
        second = data.x @ (q[: data.columns] * torch.tanh(mean))
        return -(second - data.y).square().sum() - (first - second.sum() / 1e3).square().sum()

    return density


def _unrelated_sum(data: Data) -> Density:
    """What is read by rows is a sum over columns of another tensor, with a product in between."""
    right = data.normal(data.columns, 3)

    def density(q: Tensor) -> Tensor:
        weights = right * q[: data.columns, None]
        matrix = (data.x * q[-1]) @ weights
        return (matrix.sum(1) * data.y).sum() + torch.tanh(matrix.prod(1)).sum() + matrix.mean()

    return density


def _factors(size: int) -> Callable[[Data], Density]:
    """Cholesky factors and triangular systems, our own up to a size."""

    def make(data: Data) -> Density:
        base = data.normal(size, size)
        spread = base @ base.T / size + torch.eye(size, dtype=data.dtype)
        rights = data.normal(size, 3)

        def density(q: Tensor) -> Tensor:
            matrix = spread * torch.exp(-0.1 * q[-1].square()) + torch.eye(
                size, dtype=data.dtype
            ) * (0.5 + q[0].square())
            factor = torch.linalg.cholesky(matrix)
            solved = torch.linalg.solve_triangular(factor, rights * q[-2], upper=False)
            return -factor.diagonal().log().sum() - 0.5 * solved.square().sum()

        return density

    return make


def _products(left: int, inner: int, right: int) -> Callable[[Data], Density]:
    """A product that is our own or torch's, by its sizes."""

    def make(data: Data) -> Density:
        one, two = data.normal(left, inner), data.normal(inner, right)

        def density(q: Tensor) -> Tensor:
            product = torch.tanh(one * q[-1] / inner) @ (two + q[-2])
            return torch.sin(product).sum()

        return density

    return make


DENSITIES: dict[str, Callable[[Data], Density]] = {
    "regression": _regression,
    "logistic": _logistic,
    "standardised": _standardised,
    "twice": _twice,
    "padded": _padded,
    "placed": _placed,
    "neighbours": _neighbours,
    "effects of few": _effects(7),
    "effects of many": _effects(5000),
    "3 classes": _classes(3),
    "8 classes": _classes(8),
    "9 classes": _classes(9),
    "64 classes": _classes(64),
    "65 classes": _classes(65),
    "extremes": _extremes,
    "whole": _whole,
    "turned": _turned,
    "two lengths": _two_lengths,
    "unrelated sum": _unrelated_sum,
    "factor of 40": _factors(40),
    "factor of 41": _factors(41),
    "product of 39": _products(39, 39, 39),
    "product of 40": _products(40, 40, 40),
    "product of 8": _products(100, 8, 100),
    "row and column": _products(1, 600, 1),
    "outer product": _products(23, 1, 23),
}
"""By a name; ``data.rows`` and ``data.columns`` tell their size, but for the last ones."""
