"""Runs of a model in which a guide's sites follow the values of others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor
from torch.distributions import biject_to

from autoguide_core.guides.live import Substitute
from autoguide_core.initialization import Site
from autoguide_core.noncentring import Conditional, location_scale

Knowledge: TypeAlias = Mapping[str, tuple[Tensor, Tensor]]
"""Precision and pull by site; see `Conditional`."""


class Follow(Substitute):
    """Gives sites that follow others the images of their standard numbers.

    Args:
        plates: As for `Substitute`.
        values: Constrained values by site name.
        draws: Unconstrained values by site name; standard numbers where there is knowledge.
        wanted: As for `Substitute`.
        knowledge: Precision and pull of the sites that follow others.

    Attributes:
        free: The unconstrained values of the sites that are drawn.
        log_dets: The log determinant of the map from standard numbers, as `Conditional` has it.
    """

    def __init__(
        self,
        plates: Mapping[str, Any],
        values: Mapping[str, Tensor],
        draws: Mapping[str, Tensor],
        wanted: Collection[str],
        knowledge: Knowledge,
    ) -> None:
        super().__init__(plates, values, draws, wanted)
        self._knowledge = knowledge
        self.free: dict[str, Tensor] = {}
        self.log_dets: dict[str, Tensor] = {}

    def image(self, name: str, fn: Any) -> Tensor:
        """The value of a site, given those of its parents."""
        draw = self.unconstrained[name]
        prior = location_scale(fn) if name in self._knowledge else None
        if prior is not None:
            draw, self.log_dets[name] = Conditional(prior, *self._knowledge[name])(draw)
        self.free[name] = draw
        value: Tensor = biject_to(fn.support)(draw)
        return value


class RandomDraws(Messenger):
    """Notes the sites before which a model has drawn at random, other than indices of a plate.

    A site hidden by `poutine.block` is drawn anew in each run, and so is one that no guide is known
    to cover. What depends on it is not the same in two runs with the same values.

    Attributes:
        later: The names of the sites met after such a draw.
    """

    def __init__(self) -> None:
        super().__init__()
        self.later: set[str] = set()
        self._state = torch.get_rng_state()

    def _pyro_sample(self, msg: Site) -> None:
        if self.later or not torch.equal(self._state, torch.get_rng_state()):
            self.later.add(msg["name"])

    def _pyro_post_sample(self, msg: Site) -> None:
        if site_is_subsample(msg):
            self._state = torch.get_rng_state()


def under_draws(values: Tensor, event_dim: int, depth: int) -> Tensor:
    """Put the dim of draws, the first one, to the left of all plates."""
    batch = values.dim() - 1 - event_dim
    return values.reshape(len(values), *(1,) * (depth - batch), *values.shape[1:])
