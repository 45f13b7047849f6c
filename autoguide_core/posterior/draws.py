"""Draws from a fitted guide, with the model's deterministic values and both log densities."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from autoguide_core.engine.isolation import own_randomness
from autoguide_core.engine.result import FitResult
from autoguide_core.engine.structure import Model
from autoguide_core.engine.threads import suitable_threads
from autoguide_core.guides.full_size import full_size_model
from autoguide_core.posterior.discrete import draw_marginalised
from autoguide_core.posterior.guide_draws import draw_guide
from autoguide_core.posterior.replay import replay_model
from autoguide_core.validation import Validation


@dataclass(frozen=True)
class Draws:
    """Joint draws from an approximate posterior.

    Attributes:
        sites: Values by name, each (S, *shape of the site in one run of the model): latent
            variables first, then deterministic ones.
        latents: The names that are latent variables.
        deterministics: The names that are ``pyro.deterministic`` values.
        log_q: Log density of the guide at each draw, shape (S,), float64.
        log_p: Log joint density of the model at each draw on all of the data, enumerated
            variables summed out, shape (S,), float64; None where it cannot be computed.
        notes: What was left out, and why.
    """

    sites: dict[str, torch.Tensor]
    latents: tuple[str, ...]
    deterministics: tuple[str, ...]
    log_q: torch.Tensor
    log_p: torch.Tensor | None
    notes: tuple[str, ...] = ()

    @property
    def log_weights(self) -> torch.Tensor:
        """Log importance weights ``log_p - log_q``, shape (S,).

        Raises:
            ValueError: If the joint density is not known.
        """
        if self.log_p is None:
            raise ValueError("the joint density is not known: " + "; ".join(self.notes))
        return self.log_p - self.log_q


def draw_posterior(
    fitted: FitResult | Model,
    model: Model,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    num_draws: int = 1000,
    seed: int = 0,
    *,
    discrete: bool = False,
) -> Draws:
    """Draw from a fitted guide and replay the model on the draws.

    The guide is drawn in one vectorised run where it broadcasts. Everything is taken on the full
    data: plates that subsample during the fit take all of their indices here. The densities are
    evaluated in double precision.

    Args:
        fitted: The result of a fit, whose parameter store is entered, or a guide.
        model: The model.
        args: Positional arguments of model and guide.
        kwargs: Keyword arguments of model and guide.
        num_draws: Number of draws S.
        seed: Seed of the draws; the global random state is left as it was.
        discrete: Whether to draw the variables that enumeration summed out, each from its
            conditional distribution given the continuous draw.

    Returns:
        The draws.
    """
    keywords = dict(kwargs or {})
    guide = fitted.guide if isinstance(fitted, FitResult) else fitted
    surroundings: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if isinstance(fitted, FitResult):
        surroundings = fitted.parameters()
    with (
        surroundings,
        own_randomness(seed),
        suitable_threads(args, keywords),
        full_size_model(),
        torch.no_grad(),
        Validation(False),
    ):
        latents, log_q = draw_guide(guide, model, tuple(args), keywords, num_draws)
        replayed = replay_model(model, latents, tuple(args), keywords)
        sites, deterministics = dict(latents), dict(replayed.deterministics)
        notes = replayed.notes
        if discrete and replayed.marginalised:
            names = (*replayed.marginalised, *replayed.omitted)
            drawn = draw_marginalised(model, latents, tuple(args), keywords, names)
            sites.update((name, drawn[name]) for name in replayed.marginalised)
            deterministics.update((name, drawn[name]) for name in replayed.omitted)
            notes = ()
    return Draws(
        sites={**sites, **deterministics},
        latents=tuple(sites),
        deterministics=tuple(deterministics),
        log_q=log_q,
        log_p=replayed.log_p,
        notes=notes,
    )
