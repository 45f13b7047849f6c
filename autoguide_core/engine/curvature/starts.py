"""Where the steps begin: at the mode, or at a mean-field fit where that is the better start."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch

from autoguide_core.engine.curvature.gaussian import PARTICLES, GaussianFits
from autoguide_core.engine.curvature.gradients import Gradients
from autoguide_core.engine.curvature.search import Search
from autoguide_core.engine.curvature.whitening import Whitening, by_curvature, by_scale
from autoguide_core.engine.errors import FitError
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.settings import FitSettings

MOST_FITTED = 250
"""Latent dimensions up to which steps of a full covariance are taken."""

_MEAN_FIELD_STEPS, _FEWER_STEPS, _MANY_DIMS = 3000, 1000, 400
_MEAN_FIELD_SCALE = 0.1
_TRIAL_BATCHES = 16
_LEAST_SHARE = 0.98
"""Of its draws, what a Gaussian must have where the density is a finite number."""
_TRIAL_STEPS = 500
_CLEARLY_AHEAD = 2.0
_GAP_LIMIT, _GAP_PER_DIM = 2.0, 0.25
_NARROWER = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


class FitsBySearch(ExitStack):
    """Compiled steps for each system of coordinates that is tried, made when they are needed.

    Args:
        settings: The settings of the fit.
        repeatable: See `GaussianFits`.
    """

    def __init__(self, settings: FitSettings, *, repeatable: bool) -> None:
        super().__init__()
        self._settings, self._repeatable = settings, repeatable
        self._made: dict[int, GaussianFits] = {}

    def of(self, search: Search) -> GaussianFits:
        """The fits in the coordinates of a search."""
        key = id(search.gradients)
        if key not in self._made:
            fits = GaussianFits(
                search.gradients, search.start, self._settings, repeatable=self._repeatable
            )
            self.callback(fits.close)
            self._made[key] = fits
        return self._made[key]


@dataclass(frozen=True)
class Start:
    """A Gaussian to start from, and how it does before any step.

    Attributes:
        search: The density, in the coordinates of the Gaussian.
        whitening: The map whose image of N(0, I) it is.
        elbo: Its ELBO, in nats.
        gap: How far that seems to be below the evidence, in nats.
        notes: Why it was chosen, where a user should know.
    """

    search: Search
    whitening: Whitening
    elbo: float
    gap: float
    notes: tuple[str, ...] = ()


def choose_start(
    search: Search, fits: FitsBySearch, settings: FitSettings, report: Reporter
) -> Start:
    """Take the mode with its curvature, or a mean-field fit where that is the better start.

    A mode need not be near where the mass is: a hierarchy's density may be greatest where a scale
    has run to zero, and that of many latents where none of them is like a draw. A mean-field fit
    goes to where the mass is, from a plain start in plain coordinates.

    Args:
        search: The density, with its modes.
        fits: What makes steps.
        settings: The settings of the fit.
        report: Where progress goes.

    Returns:
        The start.

    Raises:
        FitError: If the density is a finite number nowhere that was tried.
    """
    mode, at_mode = search.mode, None
    dim = len(search.start)
    reason = "no starting point has a finite density"
    if mode is not None:
        at_mode = try_out(search, by_curvature(mode.point, mode.hessian))
        if mode.fault is None and at_mode.gap < _GAP_LIMIT + _GAP_PER_DIM * dim:
            return at_mode
        reason = mode.fault or "the posterior is far from a Gaussian at its mode"
    in_field = _mean_field(search, fits, settings, report)
    if mode is not None and mode.fault is None:
        # Along a curved ridge a narrow Gaussian beats a wide one, and is free to grow.
        narrow = [
            try_out(search, by_curvature(mode.point, mode.hessian / width**2))
            for width in _NARROWER
        ]
        at_mode = max((start for start in (at_mode, *narrow) if start), key=lambda s: s.elbo)
    if at_mode is not None:
        ahead = _promise(in_field, fits, settings, report)
        if _promise(at_mode, fits, settings, report) > ahead - _CLEARLY_AHEAD:
            return at_mode  # it knows how the latents go together, which the mean field does not
    return replace(in_field, notes=(f"started from a mean-field fit: {reason}",))


def try_out(search: Search, whitening: Whitening) -> Start:
    """Score the image of N(0, I) by 256 draws.

    Draws without a density are left out, as the steps leave them out: what is scored is the
    Gaussian cut down to the rest, where that is most of it. Any other gets -inf.
    """
    dim, device = len(whitening.centre), whitening.centre.device
    generator = torch.Generator(device=device).manual_seed(0)
    log_weights = []
    for _ in range(_TRIAL_BATCHES):
        noise = torch.randn(PARTICLES, dim, generator=generator, dtype=torch.float64, device=device)
        log_p, _ = search.gradients.value_and_grad(whitening(noise))
        log_q = -0.5 * noise.square().sum(1) - 0.5 * dim * math.log(2.0 * math.pi)
        log_weights.append(log_p - log_q + whitening.log_det)
    weights = torch.cat(log_weights)
    kept = weights[weights.isfinite()]
    share = len(kept) / len(weights)
    if share < _LEAST_SHARE:
        return Start(search, whitening, -math.inf, math.inf)
    elbo = float(kept.mean()) + math.log(share)
    evidence = float(kept.logsumexp(0)) - math.log(len(weights))
    return Start(search, whitening, elbo, evidence - elbo)


def _plain(search: Search) -> Search:
    """The density in coordinates without knowledge, and the better of two plain starts."""
    gradients = search.gradients
    if search.knowledge is not None:
        nothing = torch.zeros_like(search.knowledge)
        gradients = Gradients(search.density, search.start, nothing)
    starts = torch.stack([search.begin, torch.zeros_like(search.begin)])
    values = torch.nan_to_num(gradients.value_and_grad(starts)[0], nan=-torch.inf)
    return Search(search.density, gradients, search.begin, starts[int(values.argmax())], ())


def _mean_field(
    search: Search, fits: FitsBySearch, settings: FitSettings, report: Reporter
) -> Start:
    """A mean-field fit from a plain start; where there can be none, a hopeless start."""
    plain = _plain(search)
    begin = by_scale(plain.start, torch.full_like(plain.start, _MEAN_FIELD_SCALE))
    steps = _MEAN_FIELD_STEPS if len(plain.start) <= _MANY_DIMS else _FEWER_STEPS
    short = replace(settings, steps=steps, schedule="cosine", averaging=True)
    phase = report.phase("mean field")
    try:
        field = fits.of(plain).fit(begin, short, phase, full_rank=False, more_to_come=True)
    except FitError:
        if search.mode is None:
            raise
        return Start(plain, begin, -math.inf, math.inf)
    return try_out(plain, by_scale(field.loc, torch.diagonal(field.factor)))


def _promise(start: Start, fits: FitsBySearch, settings: FitSettings, report: Reporter) -> float:
    """The ELBO that some hundred steps come to, in nats; in many dimensions that of the start."""
    if not math.isfinite(start.elbo) or len(start.search.start) > MOST_FITTED:
        return start.elbo
    short = replace(settings, steps=_TRIAL_STEPS, schedule="cosine", averaging=True)
    phase = report.phase("comparing starts")
    try:
        gaussian = fits.of(start.search).fit(start.whitening, short, phase, more_to_come=True)
    except FitError:
        return -math.inf
    return max(start.elbo, float(gaussian.elbo[-_TRIAL_STEPS // 10 :].mean()))
