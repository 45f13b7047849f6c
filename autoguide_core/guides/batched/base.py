"""What the batched joint normals share: blocks, emission, summaries and scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.nn.module import PyroModule, PyroParam
from torch import Tensor
from torch.distributions import biject_to

from autoguide_core.guides.base import AutoGuide
from autoguide_core.guides.batched.blocks import (
    Block,
    batching_plates,
    find_blocks,
    full_size_start,
)
from autoguide_core.guides.divergence import watch
from autoguide_core.guides.draws import NUM_QUANTILE_DRAWS, quantiles_of_draws
from autoguide_core.guides.emission import emit_point
from autoguide_core.guides.naming import get_deep, parameter_paths, set_deep
from autoguide_core.guides.scales import (
    DEFAULT_SCALE,
    InitScale,
    checked_init_scale,
    init_scale_by_site,
)
from autoguide_core.guides.supports import (
    constrain,
    hold_masked,
    is_elementwise,
    monotone_quantiles,
)
from autoguide_core.initialization import InitStrategy, init_to_median


class BatchedGuide(AutoGuide):
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
        supports = self._current_supports(unconstrained, *args, **kwargs)
        masks = self._current_masks(*args, **kwargs)
        with_density = poutine.get_mask() is not False
        result = {}
        for name, site in self._sites():
            event_dim, draw = site["fn"].event_dim, unconstrained[name]
            value, log_density = constrain(
                supports[name], event_dim, draw, masks[name], with_density=with_density
            )
            if with_density:
                draw_event_dim = event_dim + draw.dim() - value.dim()
                log_density = hold_masked(log_density, draw, draw_event_dim, masks[name])
            with self._site_plates(site):
                result[name] = emit_point(name, value, log_density, event_dim)
        return result

    # --- Results ------------------------------------------------------------------------------

    def median(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The images of the locations on the supports, at full size.

        For a support with an elementwise bijection this is the median of each entry. For others
        (a simplex, say) it is the image of the unconstrained median, which lies in the support.
        """
        self._ensure_prototype(*args, **kwargs)
        return self._on_supports(self._by_site(self._loc), *args, **kwargs)

    def quantiles(
        self, quantiles: Tensor | Iterable[float], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Posterior quantiles of each entry of each site, at full size.

        Exact where the bijection of the support is elementwise; over draws where it is not or
        where the support is not fixed.

        Args:
            quantiles: Probabilities, Q of them.
            *args: Positional arguments of the model.
            **kwargs: Keyword arguments of the model.

        Returns:
            For each site a tensor of shape (Q, *full site shape).
        """
        self._ensure_prototype(*args, **kwargs)
        draws: dict[str, Tensor] = {}
        result = {}
        with torch.no_grad():
            locs, scales = self._by_site(self._loc), self._by_site(self._standard_deviation)
            for name, _ in self._sites():
                support, loc = self._supports[name], locs[name]
                if name not in self._live_supports and is_elementwise(biject_to(support)):
                    q = torch.as_tensor(quantiles, dtype=loc.dtype, device=loc.device)
                    result[name] = monotone_quantiles(support, loc, scales[name], q)
                else:
                    draws = draws or self.sample_posterior(NUM_QUANTILE_DRAWS, *args, **kwargs)
                    result[name] = quantiles_of_draws(draws[name], quantiles)
        return result

    def sample_posterior(self, num_samples: int, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Draw from the guide many times at once; see `AutoGuide.sample_posterior`."""
        self._ensure_prototype(*args, **kwargs)
        if self._live_supports:
            return super().sample_posterior(num_samples, *args, **kwargs)
        draws = {}
        with torch.no_grad():
            for block in self._blocks:
                vectors = self._posterior(block).sample((num_samples,))
                for name, value in block.unpack(vectors, num_leading=1).items():
                    draws[name] = biject_to(self._supports[name])(value)
        return {name: draws[name] for name, _ in self._sites()}

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
