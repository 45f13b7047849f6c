"""Normals that score their own latest draw from the noise behind it, and the noise itself.

A guide's ELBO scores the very draw that it just made. With ``x = loc + L eps`` the quadratic form
of the log density is ``eps . eps``: no difference, division or triangular solve is needed, forward
or backward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor

LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


def standard_noise(sizes: Sequence[int], like: Tensor) -> Tensor:
    """Standard Normal noise for several sites, shape (sum of sizes,).

    On a CPU each site's share is drawn by itself, in order, so that the numbers are those that the
    sites would draw one after the other.

    Args:
        sizes: The number of entries of each site.
        like: A tensor of the dtype and device.
    """
    if like.is_cuda:
        return torch.randn(sum(sizes), dtype=like.dtype, device=like.device)
    if torch.jit.is_tracing():
        zeros = like.new_zeros(sum(sizes))
        return torch.cat([torch.normal(part, part + 1) for part in zeros.split(list(sizes))])
    noise = like.new_empty(sum(sizes))
    for part in noise.split(list(sizes)):
        part.normal_()
    return noise


class NoiseScoredNormal(dist.Normal):
    """A `Normal` for guides, which scores its latest draw from the noise.

    Its parameters are taken as they are: neither broadcast nor checked.

    Args:
        loc: Locations.
        scale: Scales, of the same shape.
        drawn: A draw made together with those of others, and the log density of its entries. The
            first draw is then this one; later ones are new.
    """

    def __init__(
        self, loc: Tensor, scale: Tensor, drawn: tuple[Tensor, Tensor] | None = None
    ) -> None:
        self.loc, self.scale = loc, scale
        self._drawn = drawn
        self._is_ready = drawn is not None
        self._latest: tuple[Tensor, Tensor] | None = None
        # Past the base class, which would broadcast and check the parameters.
        super(torch.distributions.Normal, self).__init__(loc.shape, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same locations and scales over a larger batch: a plain `Normal`, not drawn yet."""
        if torch.Size(batch_shape) == self.batch_shape:  # plates expand to the shape there is too
            return self
        return dist.Normal(self.loc, self.scale, validate_args=False).expand(batch_shape, _instance)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw, and remember the noise; shape (*sample_shape, *batch_shape)."""
        if self._is_ready and self._drawn is not None and not sample_shape:
            self._is_ready = False
            return self._drawn[0]
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        draw = self.loc + noise * self.scale
        self._latest = draw, noise
        return draw

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw without a gradient; shape (*sample_shape, *batch_shape)."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density of each entry; from the noise if ``value`` is the latest draw."""
        if self._drawn is not None and value is self._drawn[0]:
            return self._drawn[1]
        if self._latest is not None and value is self._latest[0]:
            return -0.5 * self._latest[1].square() - self.scale.log() - LOG_ROOT_TWO_PI
        return super().log_prob(value)


class NoiseScoredMultivariateNormal(dist.MultivariateNormal):
    """A `MultivariateNormal` for guides, which scores its latest draw from the noise."""

    # The latest reparameterised draw and its noise; of one instance, not kept by `expand`.
    _latest: tuple[Tensor, Tensor] | None = None

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw, and remember the noise.

        Returns:
            Shape (*sample_shape, *batch_shape, D).
        """
        shape = self._extended_shape(torch.Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        factor = self._unbroadcasted_scale_tril
        if factor.dim() == 2:  # one matrix product for all draws
            draw = self.loc + noise @ factor.mT
        else:
            draw = self.loc + (factor @ noise.unsqueeze(-1)).squeeze(-1)
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
        return -0.5 * noise.square().sum(-1) - log_det - noise.shape[-1] * LOG_ROOT_TWO_PI


# Tools that print or draw a model tell its distributions by these names.
NoiseScoredNormal.__name__ = "Normal"
NoiseScoredMultivariateNormal.__name__ = "MultivariateNormal"
