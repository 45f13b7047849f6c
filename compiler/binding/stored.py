"""A column that stays in its file, and is read row by row as a model asks for it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch

from compiler.binding.arrays import Array

READABLE = frozenset(("b1", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8"))
"""Types of numbers, as numpy writes them, that torch reads where they lie."""


@dataclass(frozen=True, eq=False)
class Stored:
    """Stands for a tensor in the code of a model that reads minibatches of it: `X[obs_index]`.

    What is read is cast to the default floating type of the moment (an index: to int64, counted
    from 0), so that the file may hold narrower numbers than the fit computes with. Everything else
    that a tensor can do would need all of it.

    Attributes:
        values: The numbers in the file's own type, over memory that is mapped from the file.
        base: What an index calls the first entry of its dim; None for numbers.
    """

    values: torch.Tensor
    base: int | None = None

    @classmethod
    def over(cls, array: Array, base: int | None) -> Stored:
        """Return a column over an array that is mapped from a file; nothing is copied."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it cannot be written to: nobody does
            return cls(torch.from_numpy(array), base)

    @property
    def shape(self) -> torch.Size:
        """The sizes of its axes."""
        return self.values.shape

    def numel(self) -> int:
        """How many numbers it has."""
        return int(self.values.numel())

    def __getitem__(self, index: Any) -> torch.Tensor:
        """Read a part into memory."""
        part = self.values[index]
        if self.base is None:
            return part.to(torch.get_default_dtype())
        return part.long() - self.base
