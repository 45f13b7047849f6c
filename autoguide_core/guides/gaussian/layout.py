"""Where each entry of each latent lies in the packed vector, seen from any set of plates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from autoguide_core.guides.gaussian.dependencies import Variable, batch_shape_of


class Layout:
    """The packed vector: latents side by side in the model's order.

    From a set of plates P, a latent looks like this: at each element of P there is a *slot* of its
    entries. Plates of the latent inside P select the slot; its other plates are broken, that is,
    all their elements are in the slot.

    Args:
        variables: The latents in the model's order.
        frames: Plate frames by name.

    Attributes:
        size: The length D of the packed vector.
    """

    def __init__(self, variables: Mapping[str, Variable], frames: Mapping[str, Any]) -> None:
        self.variables = dict(variables)
        self._frames = {name: frames[name] for v in variables.values() for name in v.plates}
        self._rank = max((-frame.dim for frame in self._frames.values()), default=0)
        self.size = 0
        self._offsets: dict[str, int] = {}
        for name, variable in variables.items():
            self._offsets[name] = self.size
            self.size += self.count(variable.plates) * variable.numel

    def count(self, plates: Iterable[str]) -> int:
        """The number of elements of a set of plates."""
        return math.prod(self._frames[name].size for name in plates)

    def width(self, name: str, plates: frozenset[str]) -> int:
        """The number of entries in a latent's slot at one element of ``plates``."""
        variable = self.variables[name]
        return variable.numel * self.count(variable.plates - plates)

    def batches(self, plates: frozenset[str], within: frozenset[str]) -> Tensor:
        """The number of the element of ``plates`` to which each element of ``within`` belongs.

        Args:
            plates: A subset of ``within``.
            within: Plate names.

        Returns:
            Shape (count(within),).
        """
        numbers = torch.arange(self.count(plates)).reshape(self._shape(plates))
        return numbers.expand(self._shape(within)).reshape(-1)

    def index(self, names: Iterable[str], plates: frozenset[str]) -> Tensor:
        """The positions in the packed vector of the slots of some latents.

        Args:
            names: The latents, whose slots are laid side by side.
            plates: Plate names.

        Returns:
            Shape (count(plates), sum of the widths).
        """
        return torch.cat([self._slot(name, plates) for name in names], dim=-1)

    def _slot(self, name: str, plates: frozenset[str]) -> Tensor:
        variable, start = self.variables[name], self._offsets[name]
        stop = start + self.count(variable.plates) * variable.numel
        positions = torch.arange(start, stop).reshape(*self._shape(variable.plates), variable.numel)
        broken = sorted(self._frames[plate].dim - 1 for plate in variable.plates - plates)
        kept = [dim for dim in range(-self._rank - 1, -1) if dim not in broken]
        positions = positions.permute(*kept, *broken, -1)
        positions = positions.reshape(*self._shape(variable.plates & plates), -1)
        width = positions.shape[-1]
        return positions.expand(*self._shape(plates), width).reshape(-1, width)

    def _shape(self, plates: Iterable[str]) -> torch.Size:
        shape = batch_shape_of(plates, self._frames)
        return torch.Size([1] * (self._rank - len(shape))) + shape
