"""Specs and fits as HTML, for notebooks; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from compiler.ir import Program

if TYPE_CHECKING:
    from compiler.run.result import Fit

_MOST_ROWS = 40


def spec_html(text: str, program: Program) -> str:
    """Return a spec's text and the table of its sites."""
    rows = [
        (
            site.name,
            "observed" if site.observed else "latent",
            site.distribution.name,
            ", ".join(map(str, (*site.plates, *site.event))),
        )
        for site in program.sites()
    ]
    return f"<h4>{escape(program.name)}</h4><pre>{escape(text)}</pre>" + table(
        ("site", "", "distribution", "dims"), rows
    )


def fit_html(fit: Fit) -> str:
    """Return a fit's summary table and its verdict."""
    frame = fit.summary()
    rows: list[Sequence[str]] = [
        (str(label), *(f"{value:.4g}" for value in row))
        for label, row in frame.head(_MOST_ROWS).iterrows()
    ]
    if len(frame) > _MOST_ROWS:
        rows.append((f"… {len(frame) - _MOST_ROWS:,} more",))
    lines = "".join(f"<p>{escape(line)}</p>" for line in (*fit.verdict, fit.stepped_by, *fit.notes))
    return f"<h4>{escape(fit.program.name)}</h4>" + table(("", *frame.columns), rows) + lines


def table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts."""

    def cells(row: Iterable[str], tag: str) -> str:
        return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{cells(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"
