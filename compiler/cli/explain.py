"""`pplc explain`: the page of a diagnostic."""

from __future__ import annotations

import os
import sys

import click

from compiler.cli.guard import Guarded
from compiler.diagnostics import CODES, did_you_mean
from compiler.diagnostics.pages import find, page


@click.command(
    "explain",
    cls=Guarded,
    examples=(
        "pplc explain",
        "pplc explain PPL031",
    ),
    short_help="Explain a diagnostic, or list them all.",
)
@click.argument("code", required=False, metavar="[CODE]")
def command(code: str | None) -> None:
    """Explain a diagnostic: what it means, why, an example, and what to write instead.

    CODE is a code (PPL031, or just 31) or a name (argument-support). Without it, all are listed.
    """
    if code is None:
        click.echo(_list())
        return
    found = find(code)
    if found is None:
        guess = did_you_mean(code, CODES, (row.slug for row in CODES.values()))
        hint = f"did you mean {guess}?" if guess else "`pplc explain` lists them all"
        raise click.UsageError(f"There is no diagnostic {code!r}; {hint}")
    text = page(found).markdown
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        from rich.console import Console
        from rich.markdown import Markdown

        Console(width=min(100, Console().width)).print(Markdown(text))
    else:
        click.echo(text)


def _list() -> str:
    widest = max(len(row.slug) for row in CODES.values())
    lines = []
    group = ""
    for row in CODES.values():
        if row.name[:-1] != group:
            lines += [""] if group else []
            group = row.name[:-1]
        mark = " (warning)" if row.severity == "warning" else ""
        lines.append(f"{row.name}  {row.slug:<{widest}}  {row.title}{mark}")
    return "\n".join(lines)
