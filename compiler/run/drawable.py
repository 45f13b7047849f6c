"""Draws from distributions that Pyro can score but draw from only in part."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from pyro.poutine.messenger import Messenger


class Drawable(Messenger):
    """Puts an equal distribution, which can be drawn from, in the place of one that cannot."""

    def _pyro_sample(self, message: Any) -> None:
        fn = message["fn"]
        if isinstance(fn, dist.DirichletMultinomial) and fn.total_count.numel() > 1:
            message["fn"] = _VariedTotals(fn.concentration, fn.total_count, validate_args=False)


class _VariedTotals(dist.DirichletMultinomial):
    """Draws with a total for each row; Pyro wants the same for all."""

    def sample(self, sample_shape: torch.Size = torch.Size()) -> torch.Tensor:  # noqa: B008
        probs = self._dirichlet.sample(sample_shape)
        left = self.total_count.to(probs.dtype).expand(probs.shape[:-1])
        chance_left = torch.ones_like(left)
        counts = []
        for prob in probs.unbind(-1)[:-1]:
            chance = (prob / chance_left.clamp(min=1e-300)).clamp(0.0, 1.0)
            counts.append(dist.Binomial(left, chance, validate_args=False).sample())
            left, chance_left = left - counts[-1], chance_left - prob
        return torch.stack([*counts, left], -1)
