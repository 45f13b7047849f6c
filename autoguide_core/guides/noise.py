"""A multivariate Normal that scores its own latest draw from the noise behind it."""

from __future__ import annotations

import math
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor


class NoiseScoredMultivariateNormal(dist.MultivariateNormal):
    """A `MultivariateNormal` for guides.

    A guide's ELBO scores the very draw that it just made. With ``x = loc + L eps`` the quadratic
    form of its log density is ``eps . eps``, so that no triangular solve is needed, forward or
    backward. Any other value is scored by the base class.
    """

    # The latest reparameterised draw and its noise; of one instance, not kept by `expand`.
    _latest: tuple[Tensor, Tensor] | None = None

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw, and remember the noise.

        Returns:
            Shape (*sample_shape, *batch_shape, D).
        """
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        draw = self.loc + (self._unbroadcasted_scale_tril @ noise.unsqueeze(-1)).squeeze(-1)
        self._latest = (draw, noise)
        return draw

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density; from the noise if ``value`` is the latest draw itself.

        Returns:
            Shape of ``value`` without its last dim.
        """
        if self._latest is None or value is not self._latest[0]:
            return super().log_prob(value)
        noise = self._latest[1]
        log_det = self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = 0.5 * noise.shape[-1] * math.log(2 * math.pi)
        return -0.5 * noise.square().sum(-1) - log_det - constant
