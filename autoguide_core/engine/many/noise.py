"""The random numbers of many fits: those that each would have alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoguide_core.engine.stepping.draws import Draw
from autoguide_core.engine.stepping.noise import NoiseSource


class NoiseOfMany:
    """Stacks the noise of fits with several seeds.

    Args:
        draws: What one step of one fit draws.
        seeds: The seed of each fit. If all are equal, all fits share one noise.
        device: Where the numbers are made.

    Attributes:
        is_shared: Whether all fits share one noise.
    """

    def __init__(
        self, draws: Sequence[Draw], seeds: Sequence[int], device: torch.device | str = "cpu"
    ) -> None:
        self.is_shared = len(set(seeds)) == 1
        used = seeds[:1] if self.is_shared else seeds
        self._sources = [NoiseSource(draws, seed, device) for seed in used]

    def block(self, first_step: int, count: int) -> list[Tensor]:
        """The draws of ``count`` steps from ``first_step``.

        Returns:
            For each draw a tensor (count, R, *shape), or (count, *shape) if it is shared.
        """
        blocks = [source.block(first_step, count) for source in self._sources]
        if self.is_shared:
            return blocks[0]
        return [torch.stack(drawn, dim=1) for drawn in zip(*blocks, strict=True)]
