"""The joint Normal of a sparse precision, as a distribution that scores its own draws for free."""

from __future__ import annotations

import math
from typing import Any

import torch
from pyro.distributions import constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor

from autoguide_core.guides.gaussian.cholesky import SparseCholesky


class SparseNormal(TorchDistribution):
    """The Normal of a `SparseCholesky`, over the packed vector.

    Its own latest draw is scored from the noise behind it, any other value by `whiten`.

    Args:
        cholesky: The factors.
        batch_shape: The shape of independent copies.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012  (torch declares it on the instance)
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        cholesky: SparseCholesky,
        batch_shape: torch.Size = torch.Size(),  # noqa: B008
        validate_args: bool | None = None,
    ) -> None:
        self.cholesky = cholesky
        self._latest: tuple[Tensor, Tensor] | None = None
        super().__init__(batch_shape, torch.Size([cholesky.size]), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> SparseNormal:
        """The same distribution with another batch shape, sharing the factors."""
        return SparseNormal(self.cholesky, torch.Size(batch_shape), self._validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean, shape (*batch_shape, D)."""
        origin = self.cholesky.zero.expand(self.cholesky.size)
        return self.cholesky.unwhiten(origin).expand(self._extended_shape())

    @property
    def stddev(self) -> Tensor:
        """Marginal standard deviations, shape (*batch_shape, D); not for every step: O(D²)."""
        return self.cholesky.marginal_scales().expand(self._extended_shape())

    @property
    def variance(self) -> Tensor:
        """Marginal variances, shape (*batch_shape, D)."""
        return self.stddev.square()

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw, and remember the noise.

        Returns:
            Shape (*sample_shape, *batch_shape, D).
        """
        zero = self.cholesky.zero
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=zero.dtype, device=zero.device)
        draw = self.cholesky.unwhiten(noise)
        self._latest = (draw, noise)
        return draw

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density.

        Returns:
            Shape of ``value`` without its last dim.
        """
        if self._validate_args:
            self._validate_sample(value)
        if self._latest is not None and value is self._latest[0]:
            noise = self._latest[1]
        else:
            noise = self.cholesky.whiten(value)
        constant = 0.5 * self.cholesky.size * math.log(2 * math.pi)
        return self.cholesky.log_det - 0.5 * noise.square().sum(-1) - constant
