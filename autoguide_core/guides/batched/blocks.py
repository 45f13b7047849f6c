"""Which sites share a block, and how their values are laid out in the vectors of that block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from autoguide_core.guides.supports import (
    full_size,
    is_subsampled,
    tile_to_full_size,
    unconstrained_event_dim,
    unconstrained_value,
)
from autoguide_core.initialization import Site

# The block of the sites that are in none of the batching plates.
SHARED = "shared"


@dataclass(frozen=True)
class Slot:
    """How one site's unconstrained value lies in the vectors of its block.

    Attributes:
        name: The site's name.
        batch: The site's batch shape, every plate at its full size.
        event: The event shape of the site's unconstrained value.
        inner: The batch dims that belong to the vector, those of plates that do not batch: counted
            from the right of ``batch``, and listed from there, so that entries are in row order.
    """

    name: str
    batch: torch.Size
    event: torch.Size
    inner: tuple[int, ...]

    @property
    def width(self) -> int:
        """How many entries of the vector the site takes."""
        return prod([*(self.batch[dim] for dim in self.inner), *self.event])

    def pack(self, value: Tensor) -> Tensor:
        """From shape (..., *batch, *event) to (..., *batch with ones at inner dims, width)."""
        width = len(self.event)
        for dim in self.inner:
            value = value.unsqueeze(-1 - width).transpose(-1 - width, dim - 1 - width)
            width += 1
        return value.flatten(-width) if width else value.unsqueeze(-1)

    def unpack(self, part: Tensor, num_leading: int = 0) -> Tensor:
        """The inverse of `pack`.

        Args:
            part: Shape (*lead, ..., width), where batch dims that are missing on the left are taken
                for ones.
            num_leading: How many dims ``lead`` are not the model's.
        """
        missing = len(self.batch) + 1 + num_leading - part.dim()
        sizes = [self.batch[dim] for dim in reversed(self.inner)]
        lead, batch = part.shape[:num_leading], part.shape[num_leading:-1]
        value = part.reshape((*lead, *(1,) * missing, *batch, *sizes, *self.event))
        width = len(self.event) + len(self.inner)
        for dim in reversed(self.inner):
            width -= 1
            value = value.transpose(-1 - width, dim - 1 - width).squeeze(-1 - width)
        return value


@dataclass(frozen=True)
class Block:
    """The sites that are drawn together: one vector for each element of a set of plates.

    Attributes:
        name: The name of the block, made of its plates' names.
        plates: The names of the plates that batch, by dim, from the left.
        shape: The batch shape of the vectors at full size; one at the dims between plates.
        slots: The sites, in the model's order.
    """

    name: str
    plates: tuple[str, ...]
    shape: torch.Size
    slots: tuple[Slot, ...]

    @property
    def width(self) -> int:
        """The length d of each vector."""
        return sum(slot.width for slot in self.slots)

    def pack(self, values: Mapping[str, Tensor]) -> Tensor:
        """Lay full-size unconstrained values side by side.

        Args:
            values: Values by site, each (*lead, *batch, *event) with the same ``lead``.

        Returns:
            Shape (*lead, *shape, d).
        """
        parts = []
        for slot in self.slots:
            value = values[slot.name]
            lead = value.shape[: value.dim() - len(slot.batch) - len(slot.event)]
            parts.append(slot.pack(value).reshape(lead + self.shape + (slot.width,)))
        return torch.cat(parts, dim=-1)

    def unpack(self, vectors: Tensor, num_leading: int = 0) -> dict[str, Tensor]:
        """Cut vectors into unconstrained values.

        Args:
            vectors: Shape (*lead, ..., d), where the batch dims are aligned on the right with those
                of the model; their sizes may be those of a minibatch.
            num_leading: How many dims ``lead`` are not the model's.

        Returns:
            By site a value of shape (*lead, *batch, *event); inside plates of the caller's there
            are further dims on the left.
        """
        parts = vectors.split([slot.width for slot in self.slots], dim=-1)
        return {
            slot.name: slot.unpack(part, num_leading)
            for slot, part in zip(self.slots, parts, strict=True)
        }


def batching_plates(
    frames: Mapping[str, Any], batch_ndim: int | None, plates: Collection[str] | None
) -> set[str]:
    """The plates whose elements have a block each.

    Args:
        frames: The frames of the plates around latent sites, by name.
        batch_ndim: How many of the leftmost plate dims batch, or None.
        plates: The names of the plates that batch, or None.

    Returns:
        Names; of all plates if neither argument is given.

    Raises:
        ValueError: There is no such plate, or there are fewer plate dims.
    """
    if plates is not None:
        for name in plates:
            if name not in frames:
                known = ", ".join(sorted(frames)) or "none"
                raise ValueError(
                    f"plates names '{name}', but no latent site is in a plate of that name. The "
                    f"plates around latent sites are: {known}."
                )
        return set(plates)
    if batch_ndim is None:
        return set(frames)
    dims = sorted({frame.dim for frame in frames.values()})
    if batch_ndim > len(dims):
        raise ValueError(
            f"batch_ndim is {batch_ndim}, but the plates around latent sites take {len(dims)} "
            f"dims only. Give batch_ndim <= {len(dims)}, or name the plates by plates=[...]."
        )
    return {name for name, frame in frames.items() if frame.dim in dims[:batch_ndim]}


def find_blocks(family: str, sites: Iterable[tuple[str, Site]], batching: set[str]) -> list[Block]:
    """Group sites by the batching plates that they are in.

    Args:
        family: The name of the guide's class, for messages.
        sites: Names and trace nodes, in the model's order.
        batching: The names of the plates that batch.

    Raises:
        ValueError: A site is in a subsampled plate that does not batch.
    """
    groups: dict[frozenset[str], list[tuple[Slot, Site]]] = {}
    for name, site in sites:
        frames = site["cond_indep_stack"]
        for frame in frames:
            if is_subsampled(frame) and frame.name not in batching:
                raise ValueError(
                    f"{family} cannot cover site '{name}': it is inside plate '{frame.name}', of "
                    f"which a minibatch of {frame.size} of {full_size(frame)} is in use, and this "
                    "plate does not batch, so that all its elements lie in one vector. Let it "
                    f"batch (plates=[..., '{frame.name}']), or run it at its full size."
                )
        own = frozenset(frame.name for frame in frames) & batching
        groups.setdefault(own, []).append((_slot(name, site, own), site))
    blocks: list[Block] = []
    for own, members in groups.items():
        stack = members[0][1]["cond_indep_stack"]
        inside = sorted((f for f in stack if f.name in own), key=lambda frame: frame.dim)
        sizes = {frame.dim: full_size(frame) for frame in inside}
        shape = torch.Size(sizes.get(dim, 1) for dim in range(min(sizes, default=0), 0))
        block_name = "_".join(frame.name for frame in inside) or SHARED
        while block_name in {block.name for block in blocks}:
            block_name += "_block"
        names = tuple(frame.name for frame in inside)
        blocks.append(Block(block_name, names, shape, tuple(slot for slot, _ in members)))
    return blocks


def full_size_start(site: Site) -> Tensor:
    """The prototype's value of a site, unconstrained and tiled to full size."""
    value = unconstrained_value(site)
    return tile_to_full_size(site, value, unconstrained_event_dim(site, value))


def _slot(name: str, site: Site, batching: frozenset[str]) -> Slot:
    value = full_size_start(site)
    cut = value.dim() - unconstrained_event_dim(site, value)
    batch, event = value.shape[:cut], value.shape[cut:]
    outer = {frame.dim for frame in site["cond_indep_stack"] if frame.name in batching}
    inner = tuple(dim for dim in range(-1, -cut - 1, -1) if dim not in outer and batch[dim] > 1)
    return Slot(name, batch, event, inner)
