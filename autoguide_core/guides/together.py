"""Independent Normals of many sites, drawn, scored and mapped onto their supports in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyro.distributions as dist
import torch
from pyro.distributions.util import sum_rightmost
from torch import Tensor
from torch.distributions import biject_to, constraints

from autoguide_core.guides.divergence import watch
from autoguide_core.guides.emission import Source
from autoguide_core.guides.noise import LOG_ROOT_TWO_PI, NoiseScoredNormal, standard_noise
from autoguide_core.guides.packing import Packed, Packing
from autoguide_core.guides.parameters import SiteParameter, SiteParameters


class Drawn(NamedTuple):
    """The draw of one site.

    Attributes:
        normal: The distribution of its auxiliary site.
        unconstrained: The draw.
        value: Its image on the support.
        log_density: The log density of the map there.
        source: Its distribution on the support and the log density of the draw, where known.
    """

    normal: NoiseScoredNormal
    unconstrained: Tensor
    value: Tensor
    log_density: Tensor | float
    source: Source | None


class DrawnTogether:
    """Sites whose independent Normals are drawn in one.

    Args:
        members: The sites.
        locs: Their locations, in the same order.
        scales: Their scales.

    Attributes:
        names: The names of the sites.
    """

    def __init__(
        self,
        members: Sequence[Packed],
        locs: Sequence[SiteParameter],
        scales: Sequence[SiteParameter],
    ) -> None:
        self._packing = Packing(members, biject_to, locs[0].free.device)
        self.names = tuple(member.name for member in members)
        self._site_sizes = {member.name: member.shape.numel() for member in members}
        pairs = zip(locs, scales, strict=True)
        self._parameters = SiteParameters([parameter for pair in pairs for parameter in pair])

    def can_draw(self) -> bool:
        """Whether the parameters are still such as the guide made, whatever their constraints."""
        return self._parameters.are_there()

    def draw(self, *, with_density: bool) -> dict[str, Drawn]:
        """Draw all sites once.

        Args:
            with_density: False skips the Jacobians.

        Returns:
            The draw of each site.

        Raises:
            ValueError: A location or scale is not a number; only while Pyro validates.
        """
        packing = self._packing
        values = self._parameters.read()
        locs, scales = values[0::2], values[1::2]
        loc, scale = packing.pack(locs), packing.pack(scales)
        noise = standard_noise(packing.sizes, loc)
        packed = loc + scale * noise
        watch(packed, self._site_sizes, {"location": loc, "scale": scale})
        entry_log_density = -0.5 * noise.square() - scale.log() - LOG_ROOT_TWO_PI
        draws, log_densities = packing.cut(packed), packing.cut(entry_log_density)
        images = packing.constrain(packed, with_density=with_density)
        result = {}
        for member, site_loc, site_scale, draw, log_density, image in zip(
            packing.members, locs, scales, draws, log_densities, images, strict=True
        ):
            normal = NoiseScoredNormal(site_loc, site_scale, (draw, log_density))
            # The image of a real site is the packed vector's own entries: the draw itself.
            value = draw if member.support is constraints.real else image[0]
            source = normal_source(member.support, normal, draw, member.event_dim)
            result[member.name] = Drawn(normal, draw, value, image[1], source)
        return result

    def sample(self, num_samples: int) -> dict[str, Tensor]:
        """Detached draws of each site, shape (num_samples, *unconstrained shape)."""
        packing = self._packing
        with torch.no_grad():
            values = self._parameters.read()
            loc, scale = packing.pack(values[0::2]), packing.pack(values[1::2])
            # Draws of one entry side by side, so that a scalar site's are contiguous.
            noise = torch.randn(len(loc), num_samples, dtype=loc.dtype, device=loc.device)
            packed = noise.mul_(scale[:, None]).add_(loc[:, None]).mT
        parts = packing.cut_draws(packed)
        return {m.name: part for m, part in zip(packing.members, parts, strict=True)}


def normal_source(support: Any, normal: Any, draw: Tensor, event_dim: int) -> Source | None:
    """What a Normal becomes on a support, where that has a name.

    Args:
        support: The support.
        normal: The Normal, with the entries of an event among its batch dims.
        draw: A draw of it.
        event_dim: The number of event dims.

    Returns:
        A function that gives the distribution on the support, and the log density of the draw
        under the Normal, one entry per batch element; None where the distribution has no name.
    """
    family = _NAMED.get(id(_base(support)))
    if family is None:
        return None

    def source() -> tuple[Any, Tensor]:
        named = family(normal.loc, normal.scale, validate_args=False)
        log_density = sum_rightmost(normal.log_prob(draw), event_dim)
        return (named.to_event(event_dim) if event_dim else named), log_density

    return source


_NAMED = {id(constraints.real): dist.Normal, id(constraints.positive): dist.LogNormal}


def _base(support: Any) -> Any:
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support
