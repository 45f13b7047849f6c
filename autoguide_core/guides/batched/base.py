"""What the batched joint normals share: blocks, emission, summaries and scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import Any

import pyro
import torch
from pyro.distributions import constraints
from pyro.nn.module import PyroModule, PyroParam
from torch import Tensor

from autoguide_core.guides.batched.blocks import (
    Block,
    batching_plates,
    find_blocks,
    full_size_start,
)
from autoguide_core.guides.divergence import watch
from autoguide_core.guides.emission import emit_point
from autoguide_core.guides.naming import get_deep, parameter_paths, set_deep
from autoguide_core.guides.scales import (
    DEFAULT_SCALE,
    InitScale,
    checked_init_scale,
    init_scale_by_site,
)
from autoguide_core.guides.unconstrained import UnconstrainedGuide
from autoguide_core.initialization import InitStrategy, init_to_median


class BatchedGuide(UnconstrainedGuide):
    """Base of guides with one joint vector for each element of the model's plates.

    Sites in the same set of plates form a *block*: for each element of these plates the values of
    all sites of the block form one vector of length d. The vectors of different elements, and of
    different blocks, are independent. Sites in no plate form the block ``shared``. A derived class
    says what distribution a block's vectors have.

    Args:
        model: A Pyro model whose latent sites are all continuous.
        batch_ndim: Only the plates at this many of the leftmost plate dims batch.
        plates: Only the plates of these names batch.
        init_loc_fn: The initialisation strategy of the locations.
        init_scale: The initial scale in unconstrained space; or scales by site name, 0.1 for the
            rest.
        create_plates: As for `AutoGuide`.

    Attributes:
        locs: For each block a location of shape (*plate sizes, d).
        scales: For each block positive numbers of shape (*plate sizes, d).

    Raises:
        ValueError: ``batch_ndim`` and ``plates`` are both given, or are not what they should be.
    """

    scale_constraint = constraints.softplus_positive

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        batch_ndim: int | None = None,
        plates: Collection[str] | None = None,
        init_loc_fn: InitStrategy = init_to_median,
        init_scale: InitScale = DEFAULT_SCALE,
        create_plates: Callable[..., Any] | None = None,
    ) -> None:
        if batch_ndim is not None and plates is not None:
            raise ValueError("Give batch_ndim or plates, not both: both say which plates batch.")
        is_count = isinstance(batch_ndim, int) and not isinstance(batch_ndim, bool)
        if batch_ndim is not None and not (is_count and batch_ndim >= 0):
            raise ValueError(f"Expected an integer batch_ndim >= 0, but got {batch_ndim!r}.")
        if isinstance(plates, str):
            raise ValueError(f"Expected a list of plate names, but got {plates!r}.")
        self._batch_ndim = batch_ndim
        self._batching = None if plates is None else tuple(plates)
        self._init_scale = checked_init_scale(init_scale)
        super().__init__(model, create_plates=create_plates)
        self._initialise_with(init_loc_fn)
        self._blocks: list[Block] = []
        self._paths: dict[str, str] = {}

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        family, sites = type(self).__name__, dict(self._sites())
        if not sites:
            raise RuntimeError(f"{family} found no latent variables; Use an empty guide instead")
        batching = batching_plates(self._prototype_frames, self._batch_ndim, self._batching)
        self._blocks = find_blocks(family, sites.items(), batching)
        init_scales = init_scale_by_site(self._init_scale, sites)
        self.locs, self.scales = PyroModule(), PyroModule()
        self._paths = parameter_paths(self.locs, [block.name for block in self._blocks])
        for block in self._blocks:
            locs = {slot.name: full_size_start(sites[slot.name]) for slot in block.slots}
            scales = {name: torch.full_like(loc, init_scales[name]) for name, loc in locs.items()}
            self._set_up_block(block, block.pack(locs), block.pack(scales))

    def _set_up_block(self, block: Block, loc: Tensor, scale: Tensor) -> None:
        """Make the parameters of a block that starts at given values of shape (*plate sizes, d)."""
        self._set("locs", block, PyroParam(loc, constraints.real, 1))
        self._set("scales", block, PyroParam(scale, self.scale_constraint, 1))

    def _set(self, kind: str, block: Block, value: PyroParam) -> None:
        set_deep(getattr(self, kind), self._paths[block.name], value)

    def _get(self, kind: str, block: Block) -> Tensor:
        """A block's parameter, of the sizes that the entered plates have."""
        value: Tensor = get_deep(getattr(self, kind), self._paths[block.name])
        return value

    @abstractmethod
    def _posterior(self, block: Block) -> Any:
        """The distribution of a block's vectors: batch shape of the plates, event shape (d,)."""

    @abstractmethod
    def _standard_deviation(self, block: Block) -> Tensor:
        """The standard deviation of each entry of a block's vectors; shape (*plate sizes, d)."""

    # --- Calls --------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw each block and emit each site.

        Args:
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            The sampled value of each site.
        """
        self._ensure_prototype(*args, **kwargs)
        self._create_plates(*args, **kwargs)
        unconstrained: dict[str, Tensor] = {}
        for block in self._blocks:
            with ExitStack() as stack:
                for name in block.plates:
                    stack.enter_context(self.plates[name])
                vectors = pyro.sample(
                    f"_{self._pyro_name}_{block.name}_latent",
                    self._posterior(block),
                    infer={"is_auxiliary": True},
                )
            watch(vectors, {slot.name: slot.width for slot in block.slots})
            unconstrained.update(block.unpack(vectors))
        result = {}
        for name, site, value, log_density in self._images(unconstrained, args, kwargs):
            with self._site_plates(site):
                result[name] = emit_point(name, value, log_density, site["fn"].event_dim)
        return result

    # --- Results ------------------------------------------------------------------------------

    def _marginals(self, *args: Any, **kwargs: Any) -> dict[str, tuple[Tensor, Tensor]]:
        locs, scales = self._by_site(self._loc), self._by_site(self._standard_deviation)
        return {name: (loc, scales[name]) for name, loc in locs.items()}

    def _unconstrained_draws(
        self, num_samples: int, /, *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        draws: dict[str, Tensor] = {}
        for block in self._blocks:
            vectors = self._posterior(block).sample((num_samples,))
            draws.update(block.unpack(vectors, num_leading=1))
        return draws

    def _score_unconstrained(self, unconstrained: dict[str, Tensor]) -> Tensor:
        """The log density of full-size draws in unconstrained space.

        Args:
            unconstrained: For each site N draws, shape (N, *full unconstrained shape).

        Returns:
            Shape (N,). Masked entries count like all others.
        """
        scores = []
        for block in self._blocks:
            score = self._posterior(block).log_prob(block.pack(unconstrained))
            scores.append(score.reshape(len(score), -1).sum(-1))
        return torch.stack(scores).sum(0)

    def _loc(self, block: Block) -> Tensor:
        return self._get("locs", block)

    def _by_site(self, read: Callable[[Block], Tensor]) -> dict[str, Tensor]:
        """A full-size quantity of all blocks by site, in the model's order."""
        values = {}
        for block in self._blocks:
            values.update(block.unpack(read(block)))
        return {name: values[name] for name, _ in self._sites()}
