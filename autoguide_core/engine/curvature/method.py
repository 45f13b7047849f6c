"""The method that needs no tuning: mode, whitening by curvature, full-rank Gaussian, fold back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from autoguide_core.engine.convergence import Verdict, judge
from autoguide_core.engine.curvature.fitted import FittedGaussian
from autoguide_core.engine.curvature.folding import write_gaussian
from autoguide_core.engine.curvature.search import Search, search_modes
from autoguide_core.engine.curvature.starts import (
    MOST_FITTED,
    FitsBySearch,
    Start,
    choose_start,
    try_out,
)
from autoguide_core.engine.curvature.whitening import Whitening
from autoguide_core.engine.errors import FitError, RequestError
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.result import Run
from autoguide_core.engine.settings import FitSettings
from autoguide_core.engine.structure import Model

MAX_DIM = 1000
_STEPS_BY_GAP = ((0.005, 200), (0.05, 500))
_LOST = 1.0
"""Nats by which steps may end below their start, as its noise would have it."""


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

    Where the mode is a poor start, a mean-field fit takes its place; see `choose_start`. Where the
    start is a Gaussian within 0.05 (0.005) nats of the posterior already, 500 (200) steps are
    taken at most: large data bring posteriors of that kind. In more than 250 dimensions none are
    taken. Where steps made it worse, or ran to where there is no density, the start is the result.

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
    with FitsBySearch(settings, repeatable=repeatable) as fits:
        start = choose_start(search, fits, settings, report)
        if len(search.start) > MOST_FITTED:
            return _unfitted(start, guide)
        most = next((steps for gap, steps in _STEPS_BY_GAP if start.gap < gap), settings.steps)
        settings = replace(settings, steps=min(settings.steps, most))
        fit = fits.of(start.search)
        try:
            gaussian = fit.fit(start.whitening, settings, report.phase("variational"))
        except RequestError:
            raise
        except FitError as error:
            if not math.isfinite(start.elbo):
                raise
            return replace(
                _unfitted(start, guide), verdict=Verdict(False, f"not converged: {error}")
            )
    search = start.search
    verdict = judge(gaussian.elbo, settings.tolerance, gaussian.drift, settings.steps)
    loc, factor = gaussian.loc, gaussian.factor
    ended = try_out(search, Whitening(loc, factor, float(torch.linalg.slogdet(factor)[1])))
    negligible = _STEPS_BY_GAP[0][0]
    if not ended.elbo > start.elbo - _LOST:
        loc, factor = start.whitening.centre, start.whitening.matrix
        verdict = Verdict(False, "not converged: the steps lost what their start had")
    elif start.gap < negligible:
        sentence = f"the posterior is within {negligible} nats of the Gaussian at its mode"
        verdict = Verdict(True, f"converged: {sentence}")
    _fold(guide, search, loc, factor)
    notes = [*start.notes, *filter(None, [search.gradients.note])]
    verdict = replace(verdict, sentence="; ".join([verdict.sentence, *notes]))
    if search.gradients.obstacle is None:
        notes += fit.obstacles  # else they would say it again
    return Run(
        gaussian.elbo,
        verdict,
        "curvature",
        tuple(notes),
        engine=gaussian.engine,
        engine_reason="; ".join(fit.obstacles),
        gaussian=FittedGaussian(search, loc, factor),
    )


def _unfitted(start: Start, guide: Any) -> Run:
    """The start itself, where steps of a full covariance would take too long."""
    search, whitening = start.search, start.whitening
    _fold(guide, search, whitening.centre, whitening.matrix)
    dims = f"without further steps in {len(whitening.centre)} dimensions"
    verdict = Verdict(True, f"converged: the mode and its curvature, {dims}")
    if start.notes:
        verdict = Verdict(True, f"converged: a mean-field fit, {dims}")
    elif search.mode is not None and search.mode.fault is not None:
        verdict = Verdict(False, f"not converged: {search.mode.fault}")
    return Run(
        np.array([start.elbo]),
        verdict,
        "curvature",
        tuple(filter(None, [*start.notes, search.gradients.note])),
        gaussian=FittedGaussian(search, whitening.centre, whitening.matrix),
    )


def _fold(guide: Any, search: Search, loc: torch.Tensor, factor: torch.Tensor) -> None:
    """Give the guide the Gaussian, and what the data tell of its non-centred latents."""
    write_gaussian(guide, loc, factor)
    if search.knowledge is not None:
        guide.knowledge.copy_(search.knowledge)
