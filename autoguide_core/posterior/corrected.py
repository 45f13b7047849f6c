"""Draws of the posterior from a fitted guide: how far the guide may be trusted, and its correction.

The draws of a guide are weighted by how much more the posterior thinks of them. Where the weights
are nearly even, drawing again by them corrects what is left. Where they are not, the draws of a
Gaussian with a compiled density are annealed to the posterior, which needs no such luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from autoguide_core.annealing import Annealed
from autoguide_core.engine.progress import Reporter
from autoguide_core.engine.result import FitResult
from autoguide_core.engine.structure import Model
from autoguide_core.posterior.proposals import GaussianProposals, GuideProposals, Kept, Proposals
from autoguide_core.posterior.psis import Psis, psis
from autoguide_core.posterior.resample import resample
from autoguide_core.posterior.tails import tail_shapes

CORRECTIONS = ("auto", "annealing", "weights", "none")

_EVEN_KHAT, _EVEN_SHARE = 0.3, 0.7
"""Weights with less k-hat, and more of the draws effective, need nothing beyond themselves."""
_NO_SPREAD = 0.7


@dataclass(frozen=True)
class Corrected:
    """Draws of the posterior.

    Attributes:
        sites: Values by name, each (S, *shape in one run): latents, then deterministic values.
        latents: Names of the latents.
        log_density: Log joint density at the draws, (S,), or None where it is not known.
        khat: Pareto k-hat of the guide's own draws; None where it is not known.
        site_khat: For each site the shape of the heaviest tail of the draws; see `tail_shapes`.
        ess: To how many independent draws they come; None where that is not known.
        level: ``good``, ``usable`` or ``not reliable``; None where nothing is known.
        verdict: What all this means, in one sentence.
        correction: What was done with the guide's draws: ``annealing``, ``weights`` or ``none``.
    """

    sites: dict[str, torch.Tensor]
    latents: tuple[str, ...]
    log_density: torch.Tensor | None
    khat: float | None
    site_khat: dict[str, float]
    ess: float | None
    level: str | None
    verdict: str
    correction: str


@dataclass(frozen=True)
class _Judged:
    """Kept draws and what is to be said of them."""

    kept: Kept
    ess: float | None
    level: str | None
    verdict: str
    correction: str


def draw_corrected(
    fitted: FitResult,
    model: Model,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    num_draws: int = 1000,
    seed: int = 0,
    *,
    correction: str = "auto",
    proposals: int | None = None,
    report: Reporter | None = None,
) -> Corrected:
    """Draw from a fitted guide, judge the draws, and correct them as far as is needed.

    Args:
        fitted: The fit.
        model: The model.
        args: Positional arguments of model and guide.
        kwargs: Keyword arguments of model and guide.
        num_draws: Draws to keep; where a gradient is expensive, annealing gives fewer.
        seed: Seed of all random numbers.
        correction: ``auto``: as much as is needed; ``annealing``, ``weights``: just that, where
            it can be had; ``none``: the guide's own draws.
        proposals: Draws of the guide to weight, at least ``num_draws``; by default as many.
        report: Where progress goes.

    Returns:
        The draws.

    Raises:
        ValueError: If the correction is none of these.
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"correction={correction!r} is unknown; one of {', '.join(CORRECTIONS)}")
    keywords = dict(kwargs or {})
    count = max(num_draws, proposals or 0)
    made: Proposals
    if fitted.gaussian is None:
        made = GuideProposals(fitted, model, args, keywords, count, seed)
    else:
        like = fitted.guide.loc if hasattr(fitted.guide, "loc") else torch.zeros(())
        made = GaussianProposals(fitted.gaussian, like, model, args, keywords, count, seed)
    if made.log_weights is None:
        judged = _as_they_are(made, num_draws, None, f"k-hat is not known: {made.unknown}")
        khat = None
    else:
        weighed = _weigh(made.log_weights)
        khat = float("inf") if isinstance(weighed, str) else weighed.khat
        judged = _choose(made, weighed, num_draws, seed, correction, report or Reporter(None))
    shapes = tail_shapes(judged.kept.sites)
    heavy = [name for name in made.latents if shapes.get(name, 0.0) > _NO_SPREAD]
    verdict = judged.verdict
    if heavy and judged.level != "not reliable":
        verdict += (
            f"; {', '.join(heavy)} {'has' if len(heavy) == 1 else 'have'} tails so heavy that "
            "no mean or sd can be told: read quantiles"
        )
    return Corrected(
        judged.kept.sites,
        made.latents,
        judged.kept.log_density,
        khat,
        shapes,
        judged.ess,
        judged.level,
        verdict,
        judged.correction,
    )


def _weigh(log_weights: torch.Tensor) -> Psis | str:
    """The weights smoothed, or why they are worth nothing."""
    try:
        return psis(log_weights)
    except ValueError as error:
        return str(error)


def _choose(
    made: Proposals,
    weighed: Psis | str,
    kept: int,
    seed: int,
    correction: str,
    report: Reporter,
) -> _Judged:
    """The least correction that will do, or the one asked for."""
    note = ""
    if isinstance(made, GaussianProposals) and _is_to_be_annealed(made, weighed, correction):
        count = min(kept, made.affordable)
        if count:
            annealed = made.anneal(count, report.phase("annealing"))
            if annealed.fault is None or not _is_usable(weighed):
                return _annealed(made, annealed, weighed)
            note = f" (annealing failed: {annealed.fault})"
        else:
            note = " (annealing would take too long on so many data)"
    if isinstance(weighed, str):
        return _as_they_are(made, kept, "not reliable", f"not reliable: {weighed}")
    if correction == "none" or not _is_usable(weighed):
        return _as_they_are(made, kept, weighed.level, weighed.verdict + note)
    with torch.device("cpu"):  # where its random numbers are, whatever the draws' device
        places = {"at": torch.arange(len(weighed.weights))}
        index = resample(places, weighed.weights, kept, seed + 1)["at"]
    total = len(weighed.weights)
    words = f"; the draws are re-weighted ({weighed.ess:,.0f} effective of {total:,})"
    ess = min(weighed.ess, kept)
    verdict = weighed.verdict + words + note
    return _Judged(made.take(index), ess, weighed.level, verdict, "weights")


def _is_to_be_annealed(made: GaussianProposals, weighed: Psis | str, correction: str) -> bool:
    if correction == "auto":
        return made.several_modes > 1 or not (_is_even(weighed) and _is_usable(weighed))
    return correction == "annealing"


def _is_usable(weighed: Psis | str) -> bool:
    return not isinstance(weighed, str) and weighed.level != "not reliable"


def _is_even(weighed: Psis | str) -> bool:
    if isinstance(weighed, str):
        return False
    share = weighed.ess / len(weighed.weights)
    return share > _EVEN_SHARE and (weighed.khat < _EVEN_KHAT or share > 0.99)


def _as_they_are(made: Proposals, kept: int, level: str | None, verdict: str) -> _Judged:
    """The first draws; where some have no density, which then are none of the posterior, others."""
    index = torch.arange(kept)
    if made.log_weights is not None and bool((good := made.log_weights.isfinite()).any()):
        places = good.nonzero().flatten().cpu()
        index = places[index % len(places)]
    return _Judged(made.take(index), None, level, verdict, "none")


def _annealed(made: GaussianProposals, annealed: Annealed, weighed: Psis | str) -> _Judged:
    """Annealed draws, in words."""
    count = len(annealed.points)
    ess = count * (1.0 - annealed.memory) / (1.0 + annealed.memory)
    guide = (
        "none of them has a density" if isinstance(weighed, str) else f"k-hat {weighed.khat:.2f}"
    )
    stages = len(annealed.temperatures)
    path = (
        f"the guide's draws ({guide}) were annealed to the posterior in {stages} "
        f"temperature{'s' * (stages > 1)} and {annealed.moves} moves"
    )
    if made.several_modes > 1:
        path += f", from {made.several_modes} modes"
    if annealed.fault is not None:
        level, verdict = "not reliable", f"not reliable: {path}, but {annealed.fault}"
    else:
        level, verdict = "good", f"good: {path} ({ess:,.0f} effective of {count:,})"
    return _Judged(made.at(annealed.points), ess, level, verdict, "annealing")
