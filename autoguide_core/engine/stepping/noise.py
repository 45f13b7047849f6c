"""The random numbers of a fit: a function of the seed and the step, and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from autoguide_core.engine.stepping.draws import Draw

_NUMBERS_PER_CHUNK = 2**16
_STRIDE = 0x9E3779B1
"""Odd, so that no two of the first 2³² chunks of a run have the same seed."""


class NoiseSource:
    """Makes the draws of any steps, the same however often and in whatever blocks they are asked.

    Steps are drawn in chunks of fixed length, each from a generator that is seeded by the number
    of the chunk. The latest chunk is kept.

    Args:
        draws: What one step draws.
        seed: The seed of the fit.
        device: Where the numbers are made; other devices make other numbers.
    """

    def __init__(
        self, draws: Sequence[Draw], seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.draws = tuple(draws)
        self._device = torch.device(device)
        self._seed = int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=4).digest())
        numbers = sum(draw.numel for draw in self.draws)
        self._length = max(1, _NUMBERS_PER_CHUNK // max(1, numbers))
        self._kept: tuple[int, list[Tensor]] | None = None

    def block(self, first_step: int, count: int) -> list[Tensor]:
        """The draws of ``count`` steps from ``first_step`` (the first of a run is 0).

        Returns:
            One tensor (count, *shape) for each draw; not to be changed.
        """
        parts: list[list[Tensor]] = []
        step, end = first_step, first_step + count
        while step < end:
            chunk, offset = divmod(step, self._length)
            rows = min(self._length - offset, end - step)
            parts.append([drawn[offset : offset + rows] for drawn in self._chunk(chunk)])
            step += rows
        if len(parts) == 1:
            return parts[0]
        return [torch.cat(pieces) for pieces in zip(*parts, strict=True)]

    def _chunk(self, number: int) -> list[Tensor]:
        """All draws of one chunk of steps, from the cache or made now."""
        if self._kept is None or self._kept[0] != number:
            # A generator on the host takes the low 32 bits of its seed only.
            seed = (self._seed + _STRIDE * number) % 2**32
            generator = Generator(self._device).manual_seed(seed)
            made = [draw.sample(self._length, generator) for draw in self.draws]
            self._kept = number, made
        return self._kept[1]
