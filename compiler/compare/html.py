"""A comparison as HTML, for notebooks; every text is escaped."""

from __future__ import annotations

from html import escape

from compiler.compare.result import Comparison
from compiler.compare.rows import HEAD, worst_rows
from compiler.run.html import table

_MOST_ROWS = 40


def comparison_html(comparison: Comparison) -> str:
    """Return the table of a comparison, worst rows first, and its verdict."""
    rows = [
        ("" if agrees else "✗", *cells)
        for agrees, cells in worst_rows(comparison.table, _MOST_ROWS)
    ]
    hidden = len(comparison.table) - len(rows)
    if hidden > 0:
        rows.append(("", f"… {hidden:,} more, which differ less"))
    lines = (*comparison.verdict, comparison.sampled_by)
    return (
        f"<h4>{escape(comparison.fit.program.name)}: guide and NUTS</h4>"
        + table(("", *HEAD), rows)
        + "".join(f"<p>{escape(line)}</p>" for line in lines)
    )
