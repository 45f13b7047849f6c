"""Draws of a fitted guide with the posterior's opinion of each, before anything is corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from autoguide_core.annealing import Annealed
from autoguide_core.distributions.circle import around_their_mean
from autoguide_core.engine.curvature.fitted import FittedGaussian
from autoguide_core.engine.isolation import own_randomness
from autoguide_core.engine.result import FitResult
from autoguide_core.engine.structure import Model
from autoguide_core.engine.threads import suitable_threads
from autoguide_core.guides.full_size import full_size_model
from autoguide_core.posterior.draws import draw_posterior
from autoguide_core.posterior.replay import replay_model
from autoguide_core.posterior.vectorised import in_chunks
from autoguide_core.validation import Validation

_NUMBERS = 1e11
"""Numbers that the gradients of an annealing may touch in all: some seconds' work."""
_GRADIENTS, _GRADIENTS_PER_ROOT_DIM = 60, 20
"""What a draw takes: stages grow in number with the root of the dimension."""
_PATIENCE = 3
"""How many times as many may be taken from a guide that is far off."""
_FEWEST = 500


@dataclass(frozen=True)
class Kept:
    """Draws that are kept.

    Attributes:
        sites: Values by name, each (S, *shape in one run): latents, then deterministic values.
        log_density: Log joint density, (S,), or None.
    """

    sites: dict[str, torch.Tensor]
    log_density: torch.Tensor | None


class Proposals(Protocol):
    """Draws of a guide.

    Attributes:
        latents: Names of the latents.
        log_weights: Log importance weights, (S,), or None where they are not known.
        unknown: Why they are not known, or an empty text.
    """

    latents: tuple[str, ...]
    log_weights: torch.Tensor | None
    unknown: str

    def take(self, index: torch.Tensor) -> Kept:
        """The draws of the given places."""
        ...


class GuideProposals:
    """Draws that the guide itself makes, as a Pyro program.

    Args:
        fitted: The fit.
        model: The model.
        args: Positional arguments of model and guide.
        kwargs: Keyword arguments of model and guide.
        count: How many draws.
        seed: Seed of the draws.
    """

    def __init__(
        self,
        fitted: FitResult,
        model: Model,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        count: int,
        seed: int,
    ) -> None:
        self._draws = draw_posterior(fitted, model, args, kwargs, count, seed)
        self.latents = self._draws.latents
        self.log_weights = None if self._draws.log_p is None else self._draws.log_weights
        self.unknown = ""
        if self.log_weights is None:
            self.unknown = "; ".join(self._draws.notes) or "the model gives no density"

    def take(self, index: torch.Tensor) -> Kept:
        """The draws of the given places."""
        log_p = self._draws.log_p
        return Kept(
            {name: value[index.to(value.device)] for name, value in self._draws.sites.items()},
            None if log_p is None else log_p[index.to(log_p.device)],
        )


class GaussianProposals:
    """Draws of a Gaussian in the coordinates of a compiled density.

    The model runs for the draws only that are kept.

    Args:
        gaussian: The Gaussian.
        like: A tensor of the dtype and device of the guide.
        model: The model.
        args: Positional arguments of model and guide.
        kwargs: Keyword arguments of model and guide.
        count: How many draws.
        seed: Seed of the draws.
    """

    unknown = ""

    def __init__(
        self,
        gaussian: FittedGaussian,
        like: torch.Tensor,
        model: Model,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        count: int,
        seed: int,
    ) -> None:
        self._gaussian, self._like, self._seed = gaussian, like, seed
        self._model, self._args, self._kwargs = model, args, kwargs
        self.latents = tuple(gaussian.search.density.layout)
        with suitable_threads(args, kwargs):
            self._points, log_p, log_q = gaussian.draw(count, seed)
        self.log_weights: torch.Tensor | None = log_p - log_q

    @property
    def affordable(self) -> int:
        """How many draws annealing has time for; 0 where they would be too few."""
        dim = len(self._gaussian.centre)
        cost = self._gaussian.search.gradients.cost + 2.0 * dim * dim  # and for whitening
        most = int(_NUMBERS / (self._gradients_per_draw * cost))
        return most if most >= _FEWEST else 0

    @property
    def _gradients_per_draw(self) -> int:
        return int(_GRADIENTS + _GRADIENTS_PER_ROOT_DIM * len(self._gaussian.centre) ** 0.5)

    @property
    def several_modes(self) -> int:
        """How many modes the posterior has that count, as far as they were found."""
        return len(self._gaussian.search.modes)

    def anneal(self, count: int, report: Any) -> Annealed:
        """Draws of the posterior, annealed."""
        with suitable_threads(self._args, self._kwargs):
            most = _PATIENCE * self._gradients_per_draw * count
            return self._gaussian.anneal(count, self._seed, most, report)

    def take(self, index: torch.Tensor) -> Kept:
        """The draws of the given places."""
        return self.at(self._points[index])

    def at(self, points: torch.Tensor) -> Kept:
        """The draws at points (S, D) of the density's coordinates; angles around their mean."""
        density, known = self._gaussian.search.density, self._gaussian.search.gradients.known
        points = torch.where(density.circular, around_their_mean(points), points)

        def values(point: torch.Tensor) -> dict[str, torch.Tensor]:
            return density.values(point, *known)

        with (
            own_randomness(self._seed),
            suitable_threads(self._args, self._kwargs),
            full_size_model(),
            torch.no_grad(),
            Validation(False),
        ):
            latents = in_chunks(values, points, density.numbers)
            latents = {name: value.to(self._like) for name, value in latents.items()}
            replayed = replay_model(self._model, latents, self._args, self._kwargs)
        return Kept({**latents, **replayed.deterministics}, replayed.log_p)
