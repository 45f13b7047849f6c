"""The method that needs no tuning: mode, whitening by curvature, full-rank Gaussian, fold back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from autoguide_core.engine.convergence import Verdict, judge
from autoguide_core.engine.curvature.fitted import FittedGaussian
from autoguide_core.engine.curvature.folding import write_gaussian
from autoguide_core.engine.curvature.gaussian import PARTICLES, GaussianFits
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.search import Search, search_modes
from autoguide_core.engine.curvature.whitening import Whitening, by_curvature, by_scale
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.result import Run
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.structure import Model

MAX_DIM = 1000
_MOST_FITTED = 250
"""Latent dimensions up to which steps are taken; beyond, the Gaussian is that of the curvature."""
_MEAN_FIELD_STEPS = 1000
_MEAN_FIELD_SCALE = 0.1
_TRIAL_BATCHES = 16
_TRIAL_STEPS = 500
_CLEARLY_AHEAD = 2.0
_STEPS_BY_GAP = ((0.005, 200), (0.05, 500))
_GAP_LIMIT, _GAP_PER_DIM = 2.0, 0.25
_NARROWER = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


def run_curvature(
    model: Model,
    guide: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    settings: FitSettings,
    report: Reporter,
    repeatable: bool = False,
) -> Run:
    """Fit a joint normal guide in a space whitened by the posterior's curvature.

    Where the mode is degenerate (a hierarchical scale that runs to zero, say), or some hundred
    steps from a Gaussian at the mode, narrowed along curved ridges, come to less than steps from
    a mean-field fit, the mean-field fit's location and scale take the mode's place. Where the
    start is a Gaussian within 0.05 (0.005) nats of the posterior already, 500 (200) steps are
    taken at most: large data bring posteriors of that kind.

    Args:
        model: The model, without subsampled plates.
        guide: An ``AutoMultivariateNormal`` over all of its continuous latents, already set up;
            one that holds knowledge of non-centred latents gets what the data tell of them.
        args: The model's positional arguments.
        kwargs: The model's keyword arguments.
        settings: The settings of the fit.
        report: Where progress goes.
        repeatable: Whether a repetition must give the same numbers to the last digit.

    Returns:
        The run; the guide holds the fitted Gaussian.

    Raises:
        FitError: If the density is not a finite number where it is needed.
    """
    search = search_modes(model, guide, args, kwargs, settings.seed, report)
    dim = len(search.start)
    if dim > _MOST_FITTED:
        return _by_curvature_alone(search, guide)
    with closing(GaussianFits(search.gradients, dim, settings, repeatable=repeatable)) as fits:
        start = _choose_start(search, fits, settings, report)
        most = next((steps for gap, steps in _STEPS_BY_GAP if start.gap < gap), settings.steps)
        settings = replace(settings, steps=min(settings.steps, most))
        gaussian = fits.fit(start.whitening, settings, report.phase("variational"))
    _fold(guide, search, gaussian.loc, gaussian.factor)
    negligible = _STEPS_BY_GAP[0][0]
    if start.gap < negligible:
        verdict = Verdict(
            True,
            f"converged: the posterior is within {negligible} nats of the Gaussian at its mode",
        )
    else:
        verdict = judge(gaussian.elbo, settings.tolerance, gaussian.drift, settings.steps)
    notes = [*start.notes, *filter(None, [search.gradients.note])]
    verdict = replace(verdict, sentence="; ".join([verdict.sentence, *notes]))
    if search.gradients.obstacle is None:
        notes += fits.obstacles  # else they would say it again
    return Run(
        gaussian.elbo,
        verdict,
        "curvature",
        tuple(notes),
        engine=gaussian.engine,
        engine_reason="; ".join(fits.obstacles),
        gaussian=FittedGaussian(search, gaussian.loc, gaussian.factor),
    )


def _by_curvature_alone(search: Search, guide: Any) -> Run:
    """The Gaussian at the mode, where steps of a full covariance would take too long."""
    mode = search.mode
    if mode is None:
        raise FitError("the log density is not a finite number at any starting point")
    whitening = by_curvature(mode.point, mode.hessian)
    _fold(guide, search, mode.point, whitening.matrix)
    sentence = f"the mode and its curvature, without further steps in {len(mode.point)} dimensions"
    verdict = Verdict(True, f"converged: {sentence}")
    if mode.fault is not None:
        verdict = Verdict(False, f"not converged: {mode.fault}")
    return Run(
        np.array([_try_out(search.gradients, whitening).elbo]),
        verdict,
        "curvature",
        tuple(filter(None, [search.gradients.note])),
        gaussian=FittedGaussian(search, mode.point, whitening.matrix),
    )


def _fold(guide: Any, search: Search, loc: torch.Tensor, factor: torch.Tensor) -> None:
    """Give the guide the Gaussian, and what the data tell of its non-centred latents."""
    write_gaussian(guide, loc, factor)
    if search.knowledge is not None:
        guide.knowledge.copy_(search.knowledge)


@dataclass(frozen=True)
class _Start:
    """A whitening to start from, and how its Gaussian does before any step.

    Attributes:
        whitening: The map.
        elbo: The ELBO of the image of N(0, I), in nats.
        gap: How far that seems to be below the evidence, in nats.
        notes: Why it was chosen, where a user should know.
    """

    whitening: Whitening
    elbo: float
    gap: float
    notes: tuple[str, ...] = ()


def _choose_start(
    search: Search, fits: GaussianFits, settings: FitSettings, report: Reporter
) -> _Start:
    """The mode with its curvature, or a mean-field fit where that is the better start."""
    mode, at_mode = search.mode, None
    reason = "no starting point has a finite density"
    if mode is not None:
        at_mode = _try_out(search.gradients, by_curvature(mode.point, mode.hessian))
        limit = _GAP_LIMIT + _GAP_PER_DIM * len(search.start)
        if mode.fault is None and at_mode.gap < limit:
            return at_mode
        reason = mode.fault or "the posterior is far from a Gaussian at its mode"
    in_field = _mean_field(search, fits, settings, report)
    if mode is not None and mode.fault is None:
        # Along a curved ridge a narrow Gaussian beats a wide one, and is free to grow.
        narrow = [
            _try_out(search.gradients, by_curvature(mode.point, mode.hessian / width**2))
            for width in _NARROWER
        ]
        at_mode = max((start for start in (at_mode, *narrow) if start), key=lambda s: s.elbo)
    if at_mode is not None:
        ahead = _promise(in_field, fits, settings, report)
        if _promise(at_mode, fits, settings, report) > ahead - _CLEARLY_AHEAD:
            return at_mode  # it knows how the latents go together, which the mean field does not
    return replace(in_field, notes=(f"started from a mean-field fit: {reason}",))


def _mean_field(
    search: Search, fits: GaussianFits, settings: FitSettings, report: Reporter
) -> _Start:
    """A mean-field fit from the guide's start; where there can be none, a hopeless start."""
    begin = by_scale(search.start, torch.full_like(search.start, _MEAN_FIELD_SCALE))
    short = replace(settings, steps=_MEAN_FIELD_STEPS, schedule="cosine", averaging=True)
    phase = report.phase("mean field")
    try:
        field = fits.fit(begin, short, phase, full_rank=False, more_to_come=True)
    except FitError:
        if search.mode is None:
            raise
        return _Start(begin, -math.inf, math.inf)
    return _try_out(search.gradients, by_scale(field.loc, torch.diagonal(field.factor)))


def _promise(start: _Start, fits: GaussianFits, settings: FitSettings, report: Reporter) -> float:
    """The ELBO that some hundred steps from a start come to, in nats."""
    if not math.isfinite(start.elbo):
        return -math.inf
    short = replace(settings, steps=_TRIAL_STEPS, schedule="cosine", averaging=True)
    phase = report.phase("comparing starts")
    try:
        gaussian = fits.fit(start.whitening, short, phase, more_to_come=True)
    except FitError:
        return -math.inf
    return float(gaussian.elbo[-_TRIAL_STEPS // 10 :].mean())


def _try_out(gradients: Gradients, whitening: Whitening) -> _Start:
    """Score the image of N(0, I) by 256 draws; one without finite scores gets -inf."""
    dim, device = len(whitening.centre), whitening.centre.device
    generator = torch.Generator(device=device).manual_seed(0)
    log_weights = []
    for _ in range(_TRIAL_BATCHES):
        noise = torch.randn(PARTICLES, dim, generator=generator, dtype=torch.float64, device=device)
        log_p, _ = gradients.value_and_grad(whitening(noise))
        log_q = -0.5 * noise.square().sum(1) - 0.5 * dim * math.log(2.0 * math.pi)
        log_weights.append(log_p - log_q + whitening.log_det)
    weights = torch.cat(log_weights)
    if not bool(torch.isfinite(weights).all()):
        return _Start(whitening, -math.inf, math.inf)
    elbo = float(weights.mean())
    evidence = float(weights.logsumexp(0)) - math.log(len(weights))
    return _Start(whitening, elbo, evidence - elbo)
