"""Whether the fit can be relied on, in a word and a colour, why, and what to do if not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compiler.ir import Part
from compiler.report.blocks import Banner, Block, Listing, Paragraph
from compiler.report.content import Content


@dataclass(frozen=True)
class _Level:
    colour: str
    word: str
    meaning: str
    advised: bool = True


@dataclass(frozen=True)
class _Advice:
    """What can be done, and whether it makes sense for a fit."""

    text: str
    suits: Callable[[Content], bool]


def _has_groups(content: Content) -> bool:
    return any(site.plates and not site.discrete for site in content.program.latents())


def _is_one_joint_normal(content: Content) -> bool:
    families = [part.family for part in content.guide.parts if isinstance(part, Part)]
    return families == ["AutoMultivariateNormal"]


_ADVICE = (
    _Advice(
        "Do what the sentence on convergence says: more steps, particles, or a lower rate.",
        lambda content: not content.outcome["converged"],
    ),
    _Advice(
        "Write hierarchies with `reparam noncentered`, or without it where each group has much "
        "data.",
        _has_groups,
    ),
    _Advice(
        "Put all that is correlated into one part of the guide, an AutoMultivariateNormal.",
        lambda content: not _is_one_joint_normal(content),
    ),
    _Advice(
        "Look at the pairs below: a bend, a funnel or two clouds tell which sites the guide "
        "misses; try a flow over those.",
        lambda content: len(content.sites) > 0,
    ),
    _Advice(
        "Give priors a scale that the data can have: wide ones leave far tails.",
        lambda content: True,
    ),
)

_LEVELS = {
    "reliable": _Level(
        "good", "Reliable", "the draws can be taken for draws from the posterior.", False
    ),
    "usable": _Level("fair", "Usable", "means and intervals are near, with more error than usual."),
    "unsettled": _Level(
        "fair",
        "Usable",
        "the draws are good by their weights, though the optimisation is not known to be settled.",
    ),
    "not reliable": _Level(
        "bad", "Not reliable", "neither spreads nor intervals can be relied on."
    ),
    "not converged": _Level("bad", "Not reliable", "the optimisation has not come to its end."),
    "not known": _Level(
        "unknown",
        "Not known",
        "the optimisation is settled; how good the guide is was not judged.",
        False,
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
    advice = [one.text for one in _ADVICE if one.suits(content)]
    if level.advised:
        settled = outcome["trusted"] or outcome["trusted"] is None
        shown = advice[:1] if settled and not outcome["converged"] else advice
        blocks += [Paragraph("What can be done:"), Listing(shown)]
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
