"""Whether the fit can be relied on, in a word and a colour, why, and what to do if not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.report.blocks import Banner, Block, Listing, Paragraph
from compiler.report.content import Content


@dataclass(frozen=True)
class _Level:
    colour: str
    word: str
    meaning: str
    advice: tuple[str, ...] = ()


_WIDER = (
    "Write hierarchies with `reparam noncentered`, or without it where each group has much data.",
    "Put all that is correlated into one AutoMultivariateNormal; try a flow over a few sites.",
    "Look at the pairs below: a bend, a funnel or two clouds tell which sites the guide misses.",
)
_LONGER = ("Do what the sentence on convergence says: more steps, particles, or a lower rate.",)

_LEVELS = {
    "reliable": _Level("good", "Reliable", "the draws can be taken for draws from the posterior."),
    "usable": _Level(
        "fair", "Usable", "means and intervals are near, with more error than usual.", _WIDER[:2]
    ),
    "unsettled": _Level(
        "fair",
        "Usable",
        "the draws are good by their weights, though the optimisation is not known to be settled.",
        _LONGER,
    ),
    "not reliable": _Level(
        "bad", "Not reliable", "neither spreads nor intervals can be relied on.", _WIDER
    ),
    "not converged": _Level(
        "bad", "Not reliable", "the optimisation has not come to its end.", _LONGER
    ),
    "not known": _Level(
        "unknown", "Not known", "the optimisation is settled; how good the guide is was not judged."
    ),
}


def verdict(content: Content) -> Sequence[Block]:
    """Return the verdict with its reasons, and advice where it is not the best."""
    level = _LEVELS[_level(content)]
    outcome = content.outcome
    blocks: list[Block] = [
        Banner(level.colour, level.word, level.meaning),
        Listing([_sentence(outcome["khat_meaning"]), _sentence(outcome["verdict"])]),
    ]
    advice = list(level.advice)
    if advice and not outcome["converged"] and level.advice is not _LONGER:
        advice = [*_LONGER, *advice]
    if advice:
        blocks += [Paragraph("What can be done:"), Listing(advice)]
    return blocks


def _level(content: Content) -> str:
    trusted, converged = content.outcome["trusted"], content.outcome["converged"]
    if trusted is None:
        return "not known" if converged else "not converged"
    if not trusted:
        return "not reliable"
    if not converged:
        return "unsettled"
    return "usable" if content.outcome["khat_meaning"].startswith("usable") else "reliable"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
