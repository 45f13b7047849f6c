"""What binding hands on: checked tensors, sizes and the labels of every dim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from compiler.binding.snapshot import Watched
from compiler.binding.stored import Stored


@dataclass(frozen=True)
class BoundData:
    """Data that fit a program.

    Attributes:
        values: Every dim's size as an int, by the dim's name, and every declared variable as a
            tensor of its declared shape: `real`, `int` and `bool` in the default float type,
            `index` as int64 counted from 0. A variable that stays in its file is not a tensor: its
            rows are read as they are indexed.
        coords: The labels of every dim, in order: the strings of its index or label column,
            else numbers counted from the base of the dim's index (0 where it has none).
        observed: Names of the variables that are observed sites of the model.
        streamed: The dims whose data are too many to be handled whole: they are read a minibatch
            at a time, and what is computed after the fit leaves them out.
        notes: What was done to the data that a user may want to know, a sentence each.
        hashes: The SHA-256 of every data file as it was read, by its name, and of the values of
            data in memory as `in memory`.
        watched: The files that are read from where they lie while the fit runs.
    """

    values: Mapping[str, torch.Tensor | Stored | int]
    coords: Mapping[str, Sequence[Any]]
    observed: tuple[str, ...]
    streamed: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)
    watched: tuple[Watched, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """The size of every dim."""
        return {name: len(labels) for name, labels in self.coords.items()}
