"""A sparse precision, factorised in fronts: from noise to draws and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoguide_core.guides.gaussian.elimination import Front

# Entries of noise that go through the factors at once where marginal scales are summed up.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class _Step:
    """A front, factorised: given the rest, its variables x solve ``Uᵀ x = shift − W rest + noise``.

    Attributes:
        index: As in `Front`.
        upper: U, upper triangular, shape (B, m, m); the block of the precision is U Uᵀ.
        weight: W, shape (B, m, n − m).
        shift: Shape (B, m, 1).
    """

    index: Tensor
    upper: Tensor
    weight: Tensor
    shift: Tensor


class SparseCholesky:
    """The factorised Normal with information vector Σ Sw and precision Σ SSᵀ over factors (w, S).

    Args:
        fronts: The order of elimination, on the device of the factors.
        roots: For each factor S, shape (B, n, k): a square root of its precision.
        whites: For each factor w, shape (B, k).
        size: The length D of the packed vector.

    Attributes:
        size: D.
        log_det: The log determinant of a square root of the precision.

    Raises:
        ValueError: The precision is not positive definite in floating point.
    """

    def __init__(
        self, fronts: Sequence[Front], roots: list[Tensor], whites: list[Tensor], size: int
    ) -> None:
        self.size = size
        matrices = [root @ root.mT for root in roots]
        vectors = [root @ white.unsqueeze(-1) for root, white in zip(roots, whites, strict=True)]
        self._steps = []
        self.log_det = matrices[0].new_zeros(())
        for front in fronts:
            batch, width = front.index.shape
            split = front.num_eliminated
            precision = matrices[0].new_zeros(batch * width * width)
            info = matrices[0].new_zeros(batch * width)
            for source in front.sources:
                matrix, vector = matrices[source.term], vectors[source.term]
                precision.index_add_(0, source.matrix, matrix.reshape(-1))
                info.index_add_(0, source.vector, vector.reshape(-1))
            precision = precision.reshape(batch, width, width)
            info = info.reshape(batch, width, 1)
            upper = _upper_root(precision[:, :split, :split], front)
            joined = torch.cat([precision[:, :split, split:], info[:, :split]], dim=-1)
            solved = torch.linalg.solve_triangular(upper, joined, upper=True)
            weight, shift = solved[..., :-1], solved[..., -1:]
            self._steps.append(_Step(front.index, upper, weight, shift))
            self.log_det = self.log_det + upper.diagonal(dim1=-2, dim2=-1).log().sum()
            if split < width:
                matrices.append(precision[:, split:, split:] - weight.mT @ weight)
                vectors.append(info[:, split:] - weight.mT @ shift)
            else:
                # Terms are numbered through: a front that leaves none keeps its number.
                matrices.append(precision[:0])
                vectors.append(info[:0])

    @property
    def zero(self) -> Tensor:
        """A zero with the dtype and device of the factors."""
        return self.log_det.detach().new_zeros(())

    def unwhiten(self, noise: Tensor, *, with_mean: bool = True) -> Tensor:
        """Turn standard Normal noise into a draw; zero noise into the mean.

        Args:
            noise: Shape (..., D).
            with_mean: False gives the deviation from the mean.

        Returns:
            Shape (..., D).
        """
        columns = noise.reshape(-1, self.size).T
        value = torch.zeros_like(columns)
        for step in reversed(self._steps):
            split = step.upper.shape[-1]
            own, rest = step.index[:, :split], step.index[:, split:]
            right = columns[own] - step.weight @ value[rest]
            if with_mean:
                right = right + step.shift
            solved = torch.linalg.solve_triangular(step.upper.mT, right, upper=False)
            value = value.index_copy(0, own.reshape(-1), solved.flatten(0, 1))
        return value.T.reshape(noise.shape)

    def whiten(self, value: Tensor) -> Tensor:
        """The noise behind a value: the inverse of `unwhiten`, without a linear solve.

        Args:
            value: Shape (..., D).

        Returns:
            Shape (..., D).
        """
        columns = value.reshape(-1, self.size).T
        noise = torch.zeros_like(columns)
        for step in self._steps:
            split = step.upper.shape[-1]
            own, rest = step.index[:, :split], step.index[:, split:]
            part = step.upper.mT @ columns[own] + step.weight @ columns[rest] - step.shift
            noise = noise.index_copy(0, own.reshape(-1), part.flatten(0, 1))
        return noise.T.reshape(value.shape)

    def marginal_scales(self) -> Tensor:
        """The marginal standard deviations, shape (D,).

        The covariance is never held: its square root is applied to the unit vectors, some at once.
        """
        rows = max(1, _CHUNK // self.size)
        variance = self.zero.new_zeros(self.size)
        for start in range(0, self.size, rows):
            units = torch.zeros(min(rows, self.size - start), self.size).to(variance)
            units[:, start : start + rows].fill_diagonal_(1)
            variance = variance + self.unwhiten(units, with_mean=False).square().sum(0)
        return variance.sqrt()


def _upper_root(block: Tensor, front: Front) -> Tensor:
    """The upper triangular U with ``block = U Uᵀ``.

    The upper one, because its inverse transpose is the lower Cholesky factor of the covariance: the
    noise of a latent then moves that latent and later ones only, whatever the plan.
    """
    try:
        lower = torch.linalg.cholesky(block.flip(-2, -1))
    except torch.linalg.LinAlgError as error:
        sites = ", ".join(map(repr, front.eliminated))
        raise ValueError(
            f"The precision of AutoGaussian is not positive definite at sites {sites}: its "
            "parameters have become infinite or NaN, or nearly collinear. Use a lower learning "
            "rate, clip gradients, or run the model in float64."
        ) from error
    return lower.flip(-2, -1)
