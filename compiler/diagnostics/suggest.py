"""Did-you-mean: the known name that a misspelt one most likely stands for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher


def did_you_mean(name: str, *candidates: Iterable[str]) -> str | None:
    """Return the closest of the candidates, or None if none is close.

    Args:
        name: What was written.
        candidates: Groups of known names, the likeliest kind first; a name of an earlier group
            wins over an equally close one of a later group.
    """
    best: tuple[float, str] | None = None
    for rank, group in enumerate(candidates):
        for candidate in group:
            score = SequenceMatcher(None, name.lower(), candidate.lower()).ratio() - 0.02 * rank
            if score >= 0.6 and (best is None or score > best[0]):
                best = (score, candidate)
    return best[1] if best else None
