"""What was chosen for this fit, by the author or by the compiler, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compiler.ir import CallablePart, Part, Program
from compiler.report.blocks import Block, Listing, Table
from compiler.report.content import Content
from compiler.report.figures.text import shortened
from compiler.report.numbers import counted, number

_MOST_NAMES = 12

_METHODS: Mapping[str, str] = {
    "adam": "gradient steps on the guide's parameters",
    "curvature": "the mode, whitening by the curvature there, then a Gaussian with full covariance",
    "laplace": "the mode, and the curvature there",
}

_CORRECTIONS: Mapping[str, str] = {
    "annealing": "the guide's, carried to the posterior by annealing",
    "weights": "the guide's, resampled by Pareto-smoothed importance weights",
    "none": "the guide's own, not corrected",
}


def choices(content: Content) -> Sequence[Block]:
    """Return the guide with its parts, the method, the corrections and the notes of the fit."""
    guide, outcome = content.guide, content.outcome
    if guide.auto:
        guide_words = f"Guide: {guide.name}, chosen by the compiler"
        guide_words += f" ({guide.reason})." if guide.reason else "."
    else:
        guide_words = f"Guide: {guide.name}, written in the spec."
    method = str(outcome["method"])
    seconds, effective = float(outcome["seconds"]), outcome.get("effective_draws")
    how = f" ({_METHODS[method]})" if method in _METHODS else ""
    items = [
        guide_words,
        f"Method: {method}{how}; {counted(outcome['steps'], 'step')} in {number(seconds)} s, "
        f"engine {outcome['engine']}"
        + (f" ({outcome['engine_reason']})." if outcome.get("engine_reason") else "."),
        f"{counted(outcome['draws'], 'draw')} kept: {_CORRECTIONS[outcome['correction']]}"
        + (f", worth {effective:,.0f} independent ones." if effective else "."),
        *_reparametrised(content.program),
        *(f"{note[:1].upper()}{note[1:]}." for note in outcome["notes"] if note),
    ]
    rows = [(part.name, *_part(part)) for part in guide.parts]
    table = Table(("part", "family", "sites"), rows, "Parts of the guide", numeric=False)
    return [Listing(items), table]


def _part(part: Part | CallablePart) -> tuple[str, str]:
    family = part.family if isinstance(part, Part) else f"callable {part.path}"
    return family, _names(part.sites)


def _reparametrised(program: Program) -> list[str]:
    """Return what was asked for of single sites."""
    sites = program.latents()
    groups = {
        "Drawn non-centred": [site.name for site in sites if site.noncentered],
        "Summed out": [site.name for site in sites if site.marginalized],
    }
    return [f"{words}: {_names(names)}." for words, names in groups.items() if names]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(shortened(name, 40) for name in names[:_MOST_NAMES])
    rest = len(names) - _MOST_NAMES
    return f"{shown} and {rest:,} more" if rest > 0 else shown
