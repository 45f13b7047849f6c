"""`AutoBatchedMultivariateNormal`: a dense covariance for each element of the model's plates."""

from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroModule, PyroParam
from torch import Tensor

from autoguide_core.guides.batched.base import BatchedGuide
from autoguide_core.guides.batched.blocks import Block
from autoguide_core.guides.noise import NoiseScoredMultivariateNormal


class AutoBatchedMultivariateNormal(BatchedGuide):
    """A Normal guide with one dense covariance for each element of the model's plates.

    A plate of 1,000 elements with three scalar sites gets 1,000 covariances of size 3x3, where
    `AutoMultivariateNormal` has one of 3,000x3,000. This suits models whose elements are
    independent given the shared sites, and it costs a time linear in their number.

    By default the sites are grouped by their set of plates: those in plates ``outer`` and
    ``inner`` form the block ``outer_inner``, those in no plate the block ``shared``. Sites of a
    plate that does not batch lie in the vectors of the block around it. Each Cholesky factor is
    ``scale[..., None] * scale_tril`` and starts at ``init_scale`` times the identity.

    Parameters have the full size of their plates, and a minibatch uses its rows.

    Args:
        model: A Pyro model whose latent sites are all continuous.
        batch_ndim: Only the plates at this many of the leftmost plate dims batch; zero gives one
            covariance over all sites.
        plates: Only the plates of these names batch.
        init_loc_fn: The initialisation strategy of the locations.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.
        create_plates: As for `AutoGuide`.

    Attributes:
        locs: For each block a location of shape (*plate sizes, d).
        scales: For each block positive numbers of shape (*plate sizes, d).
        scale_trils: For each block unit lower triangular matrices of shape (*plate sizes, d, d).
    """

    scale_tril_constraint = constraints.unit_lower_cholesky

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        self.scale_trils = PyroModule()
        super()._setup_prototype(*args, **kwargs)

    def _set_up_block(self, block: Block, loc: Tensor, scale: Tensor) -> None:
        super()._set_up_block(block, loc, scale)
        identity = torch.eye(block.width, dtype=loc.dtype, device=loc.device)
        identity = identity.expand(*block.shape, -1, -1).contiguous()
        self._set("scale_trils", block, PyroParam(identity, self.scale_tril_constraint, 2))

    def _cholesky(self, block: Block) -> Tensor:
        return self._get("scales", block)[..., None] * self._get("scale_trils", block)

    def _posterior(self, block: Block) -> Any:
        """The multivariate Normals, which score their own draws without a triangular solve."""
        # The guide checks its draws, and names their site.
        return NoiseScoredMultivariateNormal(
            self._loc(block), scale_tril=self._cholesky(block), validate_args=False
        )

    def _standard_deviation(self, block: Block) -> Tensor:
        return self._cholesky(block).square().sum(-1).sqrt()
