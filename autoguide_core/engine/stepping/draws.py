"""What one step draws, and how many steps' worth of it is drawn at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Draw:
    """One random tensor that a step needs, described so that it can be made outside.

    Attributes:
        kind: A row of the table below: ``normal``, ``uniform`` on [0, 1), ``exponential`` with
            rate 1, ``integers`` below ``size``, ``minibatch`` (indices below ``size`` without
            repeats) or ``seed`` (of torch's own generator, for operations that insist on it).
        shape: Shape of the tensor at one step.
        dtype: Its dtype.
        size: The integer that the values stay below, for kinds that have one.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    size: int = 0

    @property
    def numel(self) -> int:
        """Numbers drawn at one step."""
        return math.prod(self.shape)

    def sample(self, rows: int, generator: Generator) -> Tensor:
        """Draw ``rows`` steps' worth: a tensor (rows, *shape) on the generator's device."""
        return _KINDS[self.kind](self, rows, generator)


SEED = Draw("seed", (), torch.int64)
"""The draw that seeds torch's generator for one step."""

_LARGEST_SEED = 2**31


def _normal(draw: Draw, rows: int, generator: Generator) -> Tensor:
    return _empty(draw, rows, generator).normal_(generator=generator)


def _uniform(draw: Draw, rows: int, generator: Generator) -> Tensor:
    return _empty(draw, rows, generator).uniform_(generator=generator)


def _exponential(draw: Draw, rows: int, generator: Generator) -> Tensor:
    return _empty(draw, rows, generator).exponential_(generator=generator)


def _integers(draw: Draw, rows: int, generator: Generator) -> Tensor:
    return _empty(draw, rows, generator).random_(0, draw.size, generator=generator)


def _seed(draw: Draw, rows: int, generator: Generator) -> Tensor:
    """On the host, where it is read, wherever the other draws are."""
    return _empty(draw, rows, generator).random_(0, _LARGEST_SEED, generator=generator).cpu()


def _minibatch(draw: Draw, rows: int, generator: Generator) -> Tensor:
    """Indices without repeats, in time that grows with their number and not with ``size``.

    Repeats are drawn again until there are none. All is symmetric in the ``size`` indices, so
    every sequence without repeats is equally probable. Where the indices are a good part of all,
    that would take many rounds, and the order of as many uniforms serves instead.
    """
    (count,), size = draw.shape, draw.size
    device = generator.device
    if 2 * count > size:
        keys = torch.rand(rows, size, generator=generator, device=device, dtype=torch.float64)
        return keys.argsort(dim=1)[:, :count].to(draw.dtype)
    picks = torch.randint(size, (rows, count), generator=generator, device=device)
    repeated = _repeats(picks)
    while bool(repeated.any()):
        number = int(repeated.sum())
        picks[repeated] = torch.randint(size, (number,), generator=generator, device=device)
        open_rows = repeated.any(dim=1)
        repeated[open_rows] = _repeats(picks[open_rows])
    return picks.to(draw.dtype)


def _repeats(picks: Tensor) -> Tensor:
    """Which entries of each row have an equal before them, shape as ``picks``."""
    count = picks.shape[1]
    bits = count.bit_length()
    # One number holds a value and its place, so that numbers alone are sorted.
    keys = _sorted((picks << bits) | torch.arange(count, device=picks.device))
    values = keys >> bits
    rows, at = (values[:, 1:] == values[:, :-1]).nonzero(as_tuple=True)
    repeated = torch.zeros_like(picks, dtype=torch.bool)
    repeated[rows, keys[rows, at + 1] & (2**bits - 1)] = True
    return repeated


def _sorted(keys: Tensor) -> Tensor:
    """Each row in ascending order; on the host by numpy, which takes a third of torch's time."""
    if keys.device.type == "cpu":
        return torch.from_numpy(np.sort(keys.numpy(), axis=1))
    return keys.sort(dim=1).values


def _empty(draw: Draw, rows: int, generator: Generator) -> Tensor:
    return torch.empty((rows, *draw.shape), dtype=draw.dtype, device=generator.device)


_KINDS: dict[str, Callable[[Draw, int, Generator], Tensor]] = {
    "normal": _normal,
    "uniform": _uniform,
    "exponential": _exponential,
    "integers": _integers,
    "minibatch": _minibatch,
    "seed": _seed,
}
