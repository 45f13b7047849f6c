"""The table of the posterior: a row a number, with whatever columns the fit's summary has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from compiler.report.blocks import Block, Paragraph, Table
from compiler.report.content import Content
from compiler.report.draws import SiteDraws, by_importance
from compiler.report.numbers import counted, number

_MOST_ENTRIES = 12
_MOST_ROWS = 160

_HEADS = {"sd": "sd", "khat": "k-hat", "ess": "ESS", "5%": "5 %", "50%": "50 %", "95%": "95 %"}
"""How the columns of the fit's summary are called where not by their own names."""


def summary(content: Content) -> Sequence[Block]:
    """Return the table of continuous numbers, that of discrete ones, and what was left out."""
    continuous = [site for site in content.sites if not site.discrete]
    discrete = [site for site in content.sites if site.discrete]
    rows: Mapping[str, Mapping[str, Any]] = content.outcome["sites"]
    blocks: list[Block] = []
    if continuous and rows:
        columns = list(next(iter(rows.values())))
        head = ["", *(_HEADS.get(column, column) for column in columns)]
        tails: Mapping[str, float] = content.outcome.get("site_khat") or {}
        if tails:
            head.append("tail")
            remark = "Tail: the shape (k-hat) of the heaviest tail of a site's draws."
            blocks.append(Paragraph(remark, quiet=True))

        def numbers(site: SiteDraws, label: str) -> list[str]:
            tail = [_tail(tails.get(site.name))] if tails else []
            return [*(number(rows[label].get(column)) for column in columns), *tail]

        blocks.append(Table(head, list(_rows(continuous, numbers)), "Posterior summary"))
    if discrete:
        shares = content.outcome["discrete"]

        def mode(site: SiteDraws, label: str) -> list[str]:
            del site
            return [number(shares[label]["mode"]), f"{shares[label]['probability']:.2f}"]

        head = ["discrete", "mode", "probability"]
        blocks.append(Table(head, list(_rows(discrete, mode)), "Discrete sites"))
    if not blocks:
        return [Paragraph("The posterior holds no draws.")]
    broken = [n.label for site in content.sites for n in site.numbers() if n.broken]
    if broken:
        names = ", ".join(broken[:5]) + (" …" if len(broken) > 5 else "")
        text = f"Draws that are NaN or infinite: {names}. Figures leave such draws out."
        blocks.append(Paragraph(text))
    return blocks


def _tail(shape: float | None) -> str:
    return number(None if shape is None else round(shape, 2))


def _rows(
    sites: Sequence[SiteDraws], cells: Callable[[SiteDraws, str], Sequence[str]]
) -> Iterator[Sequence[str]]:
    """Yield the rows of some sites, and one in the place of those that are too many."""
    room = _MOST_ROWS
    ordered = by_importance(sites)
    for place, site in enumerate(ordered):
        if room <= 0:
            yield (f"… {counted(len(ordered) - place, 'more site')} in posterior.nc",)
            return
        shown = site.labels[: min(_MOST_ENTRIES, room)]
        room -= len(shown)
        for label in shown:
            yield (label, *cells(site, label))
        if len(shown) < site.size:
            yield (f"… {site.size - len(shown):,} more of {site.name} in posterior.nc",)
