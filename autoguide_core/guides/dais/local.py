"""The local latents of a plate, laid side by side for each of its elements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autoguide_core.guides.supports import tile_to_full_size, unconstrained_value
from autoguide_core.initialization import Site


@dataclass(frozen=True)
class LocalLayout:
    """Which sites are local, and how an element's values lie in one vector.

    Attributes:
        sites: The local sites by name.
        frames: The plates around all of them.
        event_shapes: The shape of one element's unconstrained value, by site.
    """

    sites: dict[str, Site]
    frames: tuple[Any, ...]
    event_shapes: dict[str, torch.Size]

    @property
    def first(self) -> Site:
        """One of the sites, for its plates."""
        return next(iter(self.sites.values()))

    def init_loc(self) -> Tensor:
        """The values of the prototype in unconstrained space; shape (*plates in full, d)."""
        parts = []
        for name, site in self.sites.items():
            value = unconstrained_value(site)
            batch_shape = value.shape[: value.dim() - len(self.event_shapes[name])]
            parts.append(tile_to_full_size(site, value.reshape(*batch_shape, -1), 1))
        return torch.cat(parts, -1)

    def unpack(self, latent: Tensor) -> dict[str, Tensor]:
        """Cut vectors into sites.

        Args:
            latent: Shape (..., *plates, d).

        Returns:
            By site, unconstrained values of shape (..., *plates, *event shape).
        """
        sizes = [shape.numel() for shape in self.event_shapes.values()]
        return {
            name: part.reshape(part.shape[:-1] + shape)
            for (name, shape), part in zip(
                self.event_shapes.items(), latent.split(sizes, -1), strict=True
            )
        }


def local_layout(sites: Iterable[tuple[str, Site]], foreign: set[str]) -> LocalLayout:
    """Find the local sites: those that the global guide does not cover.

    Args:
        sites: All latent sites of the model.
        foreign: The names of those that the global guide covers.

    Raises:
        ValueError: There are none, or they are not all inside the same plates.
    """
    local = {name: site for name, site in sites if name not in foreign}
    if not local:
        raise ValueError(
            "AutoSemiDAIS found no local latent site: the global guide covers all of them. Use it "
            "by itself, or restrict it to the global model."
        )
    first, frames = next((n, s["cond_indep_stack"]) for n, s in local.items())
    names = {frame.name for frame in frames}
    for name, site in local.items():
        own = {frame.name for frame in site["cond_indep_stack"]}
        if not own or own != names:
            raise ValueError(
                f"AutoSemiDAIS needs all local latents inside the same plates, but site '{first}' "
                f"is inside {sorted(names)} and site '{name}' inside {sorted(own)}. Give "
                f"'{name}' to the global guide, or make its extra plate an event (.to_event)."
            )
    event_shapes = {}
    for name, site in local.items():
        value = unconstrained_value(site)
        event_dim = site["fn"].event_dim + value.dim() - site["value"].dim()
        event_shapes[name] = value.shape[value.dim() - event_dim :]
    return LocalLayout(local, tuple(frames), event_shapes)
