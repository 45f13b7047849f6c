"""Draws from the fitted posterior: how far they may be trusted, and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from autoguide_core import FitResult, draw_posterior, psis, resample
from compiler.ir import Guide, Part
from compiler.run.settings import RunSettings

_PROPOSALS_PER_DRAW = 5
_NUMBERS_FOR_PROPOSALS = 300_000_000
_LOG_DENSITY = " log density"  # no site can be called so


@dataclass(frozen=True)
class Posterior:
    """Draws from the posterior.

    Attributes:
        draws: Values by site, each (S, *shape in one run).
        latents: Which of them are drawn sites of the model.
        log_density: Log joint density at the draws, (S,), or None.
        khat: Pareto k-hat of the guide; None where it has no meaning or is not known.
        trusted: Whether the draws may be relied on; None where that is not known.
        trust: What k-hat and the weights mean, in one sentence.
        reweighted: Whether the draws were re-weighted.
    """

    draws: Mapping[str, torch.Tensor]
    latents: tuple[str, ...]
    log_density: torch.Tensor | None
    khat: float | None
    trusted: bool | None
    trust: str
    reweighted: bool


def sample_posterior(
    fitted: FitResult,
    model: Any,
    kwargs: Mapping[str, Any],
    guide: Guide,
    settings: RunSettings,
    data_size: int,
    unscored: str | None = None,
) -> Posterior:
    """Draw from the guide, judge the draws by their weights, and re-weight them if they allow it.

    Args:
        fitted: The fit.
        model: The model.
        kwargs: Its arguments, all plates at full size.
        guide: The guide in the spec's terms.
        settings: How many draws, and whether to re-weight.
        data_size: How many numbers the data have; bounds the work that weights may take.
        unscored: Why the draws are not to be scored, where the arguments hold a part of the data
            only; else None.

    Returns:
        The draws.
    """
    seed = settings.engine.seed
    points = [p.name for p in guide.parts if isinstance(p, Part) and p.family == "AutoDelta"]
    proposals = settings.draws
    if settings.reweight and not points and not unscored:
        affordable = _NUMBERS_FOR_PROPOSALS // max(data_size, 1)
        proposals = max(proposals, min(_PROPOSALS_PER_DRAW * proposals, affordable))
    drawn = draw_posterior(fitted, model, (), kwargs, num_draws=proposals, seed=seed + 1)
    draws: Mapping[str, torch.Tensor] = drawn.sites
    if drawn.log_p is not None and not unscored:
        draws = {**draws, _LOG_DENSITY: drawn.log_p}
    khat, trusted, trust, reweighted = None, None, "", False
    if points:
        trust = f"k-hat is not known: part {points[0]} (AutoDelta) gives a point, not a spread"
    elif unscored:
        trust = f"k-hat is not known: {unscored}"
    elif drawn.log_p is None:
        trust = "k-hat is not known: " + ("; ".join(drawn.notes) or "the model gives no density")
    else:
        try:
            smoothed = psis(drawn.log_weights)
        except ValueError as error:
            khat, trusted, trust = float("inf"), False, f"not reliable: {error}"
        else:
            khat, trust = smoothed.khat, smoothed.verdict
            trusted = smoothed.level != "not reliable"
            if settings.reweight and trusted:
                with torch.device(
                    "cpu"
                ):  # where its random numbers are, whatever the draws' device
                    draws = resample(draws, smoothed.weights, settings.draws, seed + 2)
                reweighted = True
                trust += (
                    f"; the draws are re-weighted ({smoothed.ess:,.0f} effective of {proposals:,})"
                )
    kept = {name: values[: settings.draws] for name, values in draws.items()}
    return Posterior(
        log_density=kept.pop(_LOG_DENSITY, None),
        draws=kept,
        latents=drawn.latents,
        khat=khat,
        trusted=trusted,
        trust=trust,
        reweighted=reweighted,
    )
