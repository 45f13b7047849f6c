"""Draws from the fitted posterior, and how far they may be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from autoguide_core import FitResult, draw_corrected
from autoguide_core.engine.progress import ProgressCallback, Reporter
from compiler.ir import Guide, Part
from compiler.run.settings import RunSettings

_PROPOSALS = 20_000
_NUMBERS_FOR_PROPOSALS = 300_000_000


@dataclass(frozen=True)
class Posterior:
    """Draws from the posterior.

    Attributes:
        draws: Values by site, each (S, *shape in one run).
        latents: Which of them are drawn sites of the model.
        log_density: Log joint density at the draws, (S,), or None.
        khat: Pareto k-hat of the guide; None where it has no meaning or is not known.
        trusted: Whether the draws may be relied on; None where that is not known.
        trust: What that comes from, in one sentence.
        correction: What was done with the guide's draws: annealing, weights or none.
        guide: The guide, in the spec's terms.
        ess: To how many independent draws they come; None where that is not known.
        site_khat: By site the shape of the heaviest tail of its draws.
    """

    draws: Mapping[str, torch.Tensor]
    latents: tuple[str, ...]
    log_density: torch.Tensor | None
    khat: float | None
    trusted: bool | None
    trust: str
    correction: str
    guide: Guide
    ess: float | None = None
    site_khat: Mapping[str, float] = field(default_factory=dict)


def sample_posterior(
    fitted: FitResult,
    model: Any,
    kwargs: Mapping[str, Any],
    guide: Guide,
    settings: RunSettings,
    data_size: int,
    unscored: str | None = None,
    progress: ProgressCallback | None = None,
) -> Posterior:
    """Draw from the guide, judge the draws, and correct them as far as is asked for and needed.

    Args:
        fitted: The fit.
        model: The model.
        kwargs: Its arguments, all plates at full size.
        guide: The guide in the spec's terms.
        settings: How many draws, and how they may be corrected.
        data_size: How many numbers the data have; bounds the work that weights may take.
        unscored: Why the draws are not to be scored, where the arguments hold a part of the data
            only; else None.
        progress: What to report progress to, if anything.

    Returns:
        The draws.
    """
    points = [p.name for p in guide.parts if isinstance(p, Part) and p.family == "AutoDelta"]
    unknown = unscored or ""
    if points:
        unknown = f"part {points[0]} (AutoDelta) gives a point, not a spread"
    correction = "none" if unknown else settings.correction
    proposals = settings.draws
    if correction != "none":
        affordable = _NUMBERS_FOR_PROPOSALS // max(data_size, 1)
        proposals = max(proposals, min(_PROPOSALS, affordable))
    found = draw_corrected(
        fitted,
        model,
        (),
        kwargs,
        num_draws=settings.draws,
        seed=settings.engine.seed + 1,
        correction=correction,
        proposals=proposals,
        report=Reporter(progress),
    )
    if unknown:
        return Posterior(
            found.sites,
            found.latents,
            None if unscored else found.log_density,
            None,
            None,
            f"k-hat is not known: {unknown}",
            "none",
            guide,
        )
    return Posterior(
        draws=found.sites,
        latents=found.latents,
        log_density=found.log_density,
        khat=found.khat,
        trusted=None if found.level is None else found.level != "not reliable",
        trust=found.verdict,
        correction=found.correction,
        guide=guide,
        ess=found.ess,
        site_khat=found.site_khat,
    )
