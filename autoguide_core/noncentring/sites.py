"""Which latents can be drawn relative to others, and who those are: found by one run of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from autoguide_core.noncentring.priors import LocationScale, location_scale


@dataclass(frozen=True)
class Follower:
    """A latent whose prior has a location or a scale that depends on other latents.

    Attributes:
        prior: The location and scale in that run.
        parents: The names of those on which they depend directly.
    """

    prior: LocationScale
    parents: frozenset[str]


class FollowerFinder(Messenger):
    """Finds the latents that follow others, by tracing gradients through a model's run.

    The run has to be made with gradients enabled, and with handlers inside of this one that give
    the latents values. A latent that follows an enumerated one is left out: its values have a
    shape that its prior has not.

    Args:
        shapes: The shapes of the unconstrained values of the latents that are asked for, by name.

    Attributes:
        found: Those among them that follow others, in the model's order.
    """

    def __init__(self, shapes: Mapping[str, torch.Size]) -> None:
        super().__init__()
        self._shapes = shapes
        self._leaves: dict[str, Tensor] = {}
        self.found: dict[str, Follower] = {}

    def _pyro_post_sample(self, msg: Any) -> None:
        if msg["is_observed"] or site_is_subsample(msg):
            return
        name, fn = msg["name"], msg["fn"]
        prior = location_scale(fn) if name in self._shapes else None
        if prior is not None and fn.shape() == self._shapes[name]:
            parents = self._parents_of(prior)
            if parents:
                self.found[name] = Follower(prior, parents)
        if msg["value"].is_floating_point():
            msg["value"] = self._leaves[name] = msg["value"].detach().requires_grad_()

    def _parents_of(self, prior: LocationScale) -> frozenset[str]:
        if not self._leaves or not prior.depends_on_latents:
            return frozenset()
        total = prior.loc.sum() + prior.scale.sum()
        leaves = [*self._leaves.values()]
        slopes = torch.autograd.grad(total, leaves, retain_graph=True, allow_unused=True)
        named = zip(self._leaves, slopes, strict=True)
        return frozenset(name for name, slope in named if slope is not None)
