"""The backends of `AutoGaussian`: one family, several orders of elimination."""

from __future__ import annotations

from collections.abc import Mapping

import pyro.distributions as dist
import torch
from torch import Tensor

from autoguide_core.guides.gaussian.elimination import (
    Front,
    Term,
    dense_plan,
    structured_plan,
)
from autoguide_core.guides.gaussian.guide import AutoGaussian
from autoguide_core.guides.gaussian.layout import Layout


class AutoGaussianDense(AutoGaussian, backends=(None, "dense")):
    """`AutoGaussian` by one dense Cholesky factorisation: O(D³) time, O(D²) memory.

    The same as ``AutoGaussian(model, backend="dense")``.
    """

    def _make_plan(self, layout: Layout, terms: list[Term]) -> tuple[Front, ...]:
        return dense_plan(layout, terms)

    def _dense_get_mvn(self) -> dist.MultivariateNormal:
        """The joint Normal of the packed x of all sites, as a distribution with dense matrices."""
        posterior = self._posterior()
        mean = posterior.mean
        units = torch.eye(self.latent_dim, dtype=mean.dtype, device=mean.device)
        scale_tril = posterior.cholesky.unwhiten(units, with_mean=False).T
        return dist.MultivariateNormal(mean, scale_tril=scale_tril)

    def _dense_flatten(self, samples: Mapping[str, Tensor]) -> Tensor:
        return self._pack(samples)

    def _dense_unflatten(self, flat_samples: Tensor) -> dict[str, Tensor]:
        return self._unpack(flat_samples)


class AutoGaussianStructured(AutoGaussian, backends=("structured",)):
    """`AutoGaussian` by variable elimination in plates.

    The same as ``AutoGaussian(model, backend="structured")``. Latents in a plate are eliminated for
    all its elements in one batch of small matrices, deepest plates first as a rule, and what
    remains by one dense factorisation. For groups in a plate below a few global latents, time and
    memory are in proportion to the number of groups.
    """

    def _make_plan(self, layout: Layout, terms: list[Term]) -> tuple[Front, ...]:
        return structured_plan(layout, terms)


class AutoGaussianFunsor(AutoGaussianStructured, backends=("funsor",)):
    """`AutoGaussianStructured` under Pyro's name, and with Pyro's names in the parameter store.

    The same as ``AutoGaussian(model, backend="funsor")``. Nothing in it needs the funsor package.
    """
