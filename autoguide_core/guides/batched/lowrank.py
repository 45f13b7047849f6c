"""`AutoBatchedLowRankMultivariateNormal`: a low-rank covariance for each element of the plates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroModule, PyroParam
from torch import Tensor

from autoguide_core.guides.batched.base import BatchedGuide
from autoguide_core.guides.batched.blocks import Block
from autoguide_core.guides.divergence import tell_spoilt
from autoguide_core.guides.scales import DEFAULT_SCALE, InitScale
from autoguide_core.initialization import InitStrategy, init_to_median


class AutoBatchedLowRankMultivariateNormal(BatchedGuide):
    """A Normal guide with one diagonal-plus-low-rank covariance for each element of the plates.

    The blocks are those of `AutoBatchedMultivariateNormal`; the covariance of each vector is that
    of `AutoLowRankMultivariateNormal`: with ``W = scale[..., None] * cov_factor`` it is
    ``W W' + diag(scale ** 2)``. The factor starts at random, so that both terms hold about half of
    the variance ``init_scale ** 2``.

    Args:
        model: A Pyro model whose latent sites are all continuous.
        batch_ndim: Only the plates at this many of the leftmost plate dims batch.
        plates: Only the plates of these names batch.
        init_loc_fn: The initialisation strategy of the locations.
        init_scale: The approximate initial marginal scale in unconstrained space; or scales by site
            name, 0.1 for the rest.
        rank: The rank R of the factors, lowered to d in blocks of fewer entries; by default the
            root of each block's d, rounded.
        create_plates: As for `AutoGuide`.

    Attributes:
        locs: For each block a location of shape (*plate sizes, d).
        scales: For each block positive numbers of shape (*plate sizes, d).
        cov_factors: For each block factors of shape (*plate sizes, d, R).

    Raises:
        ValueError: ``rank`` is not a positive integer.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        batch_ndim: int | None = None,
        plates: Collection[str] | None = None,
        init_loc_fn: InitStrategy = init_to_median,
        init_scale: InitScale = DEFAULT_SCALE,
        rank: int | None = None,
        create_plates: Callable[..., Any] | None = None,
    ) -> None:
        is_whole = isinstance(rank, int) and not isinstance(rank, bool)
        if rank is not None and not (is_whole and rank > 0):
            raise ValueError(f"Expected an integer rank > 0, but got {rank!r}.")
        self.rank = rank
        super().__init__(
            model,
            batch_ndim=batch_ndim,
            plates=plates,
            init_loc_fn=init_loc_fn,
            init_scale=init_scale,
            create_plates=create_plates,
        )

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        self.cov_factors = PyroModule()
        super()._setup_prototype(*args, **kwargs)

    def _set_up_block(self, block: Block, loc: Tensor, scale: Tensor) -> None:
        super()._set_up_block(block, loc, 0.5**0.5 * scale)
        rank = min(self.rank or round(block.width**0.5), block.width)
        factor = loc.new_empty((*loc.shape, rank)).normal_(0, rank**-0.5)
        self._set("cov_factors", block, PyroParam(factor, constraints.real, 2))

    def _posterior(self, block: Block) -> Any:
        """The low-rank multivariate Normals."""
        scale = self._get("scales", block)
        factor = self._get("cov_factors", block) * scale[..., None]
        try:
            # The guide checks its draws, and names their site.
            return dist.LowRankMultivariateNormal(
                self._loc(block), factor, scale.square(), validate_args=False
            )
        except torch.linalg.LinAlgError:
            sizes = {slot.name: slot.width for slot in block.slots}
            tell_spoilt({"scale": scale, "covariance factor": factor.sum(-1)}, sizes)
            raise

    def _standard_deviation(self, block: Block) -> Tensor:
        factor = self._get("cov_factors", block)
        return self._get("scales", block) * (factor.square().sum(-1) + 1).sqrt()
