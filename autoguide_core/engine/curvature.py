"""The method that needs no tuning: mode, whitening by curvature, full-rank Gaussian, fold back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from autoguide_core.engine.convergence import judge
from autoguide_core.engine.density import LogDensity
from autoguide_core.engine.folding import flat_layout, write_gaussian
from autoguide_core.engine.gaussian import PARTICLES, fit_gaussian
from autoguide_core.engine.loop import Run
from autoguide_core.engine.mode import Mode, find_mode
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.structure import Model
from autoguide_core.engine.tracing import Gradients
from autoguide_core.engine.whitening import Whitening, by_curvature, by_scale

MAX_DIM = 250
STARTS = 4
_START_RADIUS = 2.0
_MEAN_FIELD_STEPS = 1000
_MEAN_FIELD_SCALE = 0.1
_TRIAL_BATCHES = 16
_GAP_LIMIT, _GAP_PER_DIM = 2.0, 0.25


@dataclass(frozen=True)
class Search:
    """The density of a model and the best mode found.

    Attributes:
        gradients: The log density.
        start: The guide's own starting point, shape (D,).
        mode: The mode, or None if no start had a finite density.
    """

    gradients: Gradients
    start: torch.Tensor
    mode: Mode | None


def search_mode(
    model: Model,
    guide: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    seed: int,
    report: Reporter,
) -> Search:
    """Find the mode of a model's unconstrained density from the guide's start and three others.

    Args:
        model: The model.
        guide: A guide with one flat latent vector, already set up.
        args: The model's positional arguments.
        kwargs: The model's keyword arguments.
        seed: Seed of the other starts, uniform on (-2, 2).
        report: Where progress goes.

    Returns:
        The search's outcome.
    """
    density = LogDensity(model, args, kwargs, flat_layout(guide))
    start = guide.loc.detach().double()
    gradients = Gradients(density, start)
    generator = torch.Generator(device=start.device).manual_seed(seed)
    starts = [start]
    for _ in range(STARTS - 1):
        unit = torch.rand(density.dim, generator=generator, dtype=start.dtype, device=start.device)
        starts.append(_START_RADIUS * (2.0 * unit - 1.0))
    mode = find_mode(gradients, starts, lambda *told: report(*told, "mode"))
    return Search(gradients, start, mode)


def run_curvature(
    model: Model,
    guide: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    settings: FitSettings,
    report: Reporter,
) -> Run:
    """Fit a joint normal guide in a space whitened by the posterior's curvature.

    Where the mode is degenerate (a hierarchical scale that runs to zero, say), or a Gaussian at
    the mode is a worse start than a mean-field fit, the mean-field fit's location and scale take
    the mode's place.

    Args:
        model: The model, without subsampled plates.
        guide: An ``AutoMultivariateNormal`` over all of its continuous latents, already set up.
        args: The model's positional arguments.
        kwargs: The model's keyword arguments.
        settings: The settings of the fit.
        report: Where progress goes.

    Returns:
        The run; the guide holds the fitted Gaussian.

    Raises:
        FitError: If the density is not a finite number where it is needed.
    """
    search = search_mode(model, guide, args, kwargs, settings.seed, report)
    whitening, notes = _choose_start(search, settings, report)
    gaussian = fit_gaussian(
        search.gradients, whitening, settings, lambda *told: report(*told, "variational")
    )
    write_gaussian(guide, gaussian.loc, gaussian.factor)
    verdict = judge(gaussian.elbo, settings.tolerance, gaussian.drift, settings.steps)
    if search.gradients.note:
        notes.append(search.gradients.note)
    if notes:
        verdict = replace(verdict, sentence="; ".join([verdict.sentence, *notes]))
    return Run(gaussian.elbo, verdict, "curvature", tuple(notes))


def _choose_start(
    search: Search, settings: FitSettings, report: Reporter
) -> tuple[Whitening, list[str]]:
    """The mode with its curvature, or a mean-field fit where that is the better start."""
    mode = search.mode
    at_mode = by_curvature(mode.point, mode.hessian) if mode is not None else None
    laplace = _try_out(search.gradients, at_mode) if at_mode is not None else None
    if mode is not None and at_mode is not None and laplace is not None:
        if mode.fault is None and laplace.gap < _GAP_LIMIT + _GAP_PER_DIM * len(mode.point):
            return at_mode, []
    start = by_scale(search.start, torch.full_like(search.start, _MEAN_FIELD_SCALE))
    quick = replace(settings, steps=_MEAN_FIELD_STEPS, schedule="cosine")
    field = fit_gaussian(
        search.gradients,
        start,
        quick,
        lambda *told: report(*told, "mean field"),
        full_rank=False,
    )
    by_field = by_scale(field.loc, torch.diagonal(field.factor))
    if at_mode is not None and laplace is not None:
        if laplace.elbo >= _try_out(search.gradients, by_field).elbo:
            return at_mode, []
    reason = "no starting point has a finite density"
    if mode is not None:
        reason = mode.fault or "the posterior is far from a Gaussian at its mode"
    return by_field, [f"started from a mean-field fit: {reason}"]


@dataclass(frozen=True)
class _Trial:
    """How a Gaussian does before any step: its ELBO, and how far below the evidence that seems."""

    elbo: float
    gap: float


def _try_out(gradients: Gradients, whitening: Whitening) -> _Trial:
    """Score the image of N(0, I) by 256 draws; a start without finite scores gets minus infinity."""
    dim = len(whitening.centre)
    generator = torch.Generator(device=whitening.centre.device).manual_seed(0)
    log_weights = []
    for _ in range(_TRIAL_BATCHES):
        noise = torch.randn(
            PARTICLES, dim, generator=generator, dtype=torch.float64, device=whitening.centre.device
        )
        log_p, _ = gradients.value_and_grad(whitening(noise))
        log_q = -0.5 * noise.square().sum(1) - 0.5 * dim * math.log(2.0 * math.pi)
        log_weights.append(log_p - log_q + whitening.log_det)
    weights = torch.cat(log_weights)
    if not bool(torch.isfinite(weights).all()):
        return _Trial(-math.inf, math.inf)
    elbo = float(weights.mean())
    return _Trial(elbo, float(weights.logsumexp(0)) - math.log(len(weights)) - elbo)
