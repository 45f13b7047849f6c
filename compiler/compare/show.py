"""Shows a comparison in the terminal: the table of both, worst rows first, and the verdict."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from compiler.compare.result import Comparison
from compiler.compare.rows import HEAD, worst_rows
from compiler.run.show import laid_out, marked, verdict_lines

MOST_ROWS = 20
"""How many rows are shown."""


def show_comparison(
    comparison: Comparison, console: Console | None = None, folder: Path | None = None
) -> None:
    """Print a comparison.

    Args:
        comparison: The comparison.
        console: Where to; standard output by default.
        folder: Where it was saved, to say so.
    """
    console = console or Console()
    rows: list[tuple[str, ...]] = [
        (cells[0] if agrees else f"✗ {cells[0]}", *cells[1:])
        for agrees, cells in worst_rows(comparison.table, MOST_ROWS)
    ]
    if len(comparison.table) > MOST_ROWS:
        rows.append((f"… {len(comparison.table) - MOST_ROWS:,} more, which differ less",))
    title = f"{comparison.fit.program.name}: mean ± sd by the guide and by NUTS, worst first"
    caption = "all of them are in compare.csv"
    console.print(laid_out(title, HEAD, rows, "right", console.width, caption))
    for text, good in verdict_lines(comparison.fit):
        console.print(marked(text, good))
    console.print(marked(comparison.judgement.convergence, comparison.converged))
    console.print(marked(comparison.judgement.agreement, comparison.agrees))
    for note in (comparison.sampled_by, *comparison.fit.notes):
        console.print(Text(f"• {note}", style="dim"))
    if folder is not None:
        console.print(Text(f"saved in {folder}"))
