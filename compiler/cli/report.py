"""Shows diagnostics in the format that the user asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from compiler.diagnostics import Diagnostics, SpecError
from compiler.diagnostics.paint import paint_for
from compiler.diagnostics.render import count_line, render

FORMATS = ("text", "json", "sarif", "github")


def show(every: Sequence[Diagnostics], strict: bool = False) -> None:
    """Print the diagnostics of some specs to stderr, for people; nothing where there are none."""
    if not any(len(one) for one in every):
        return
    paint = paint_for(sys.stderr)
    text = "".join(render(one, paint) for one in every)
    click.echo(text + count_line(every, strict, paint), err=True, color=True)


def machine_readable(every: Sequence[Diagnostics], form: str) -> str:
    """Return the diagnostics as one of `FORMATS` other than `text`."""
    if form == "json":
        from compiler.diagnostics.as_json import as_json

        return as_json(every)
    if form == "sarif":
        from compiler.diagnostics.as_sarif import as_sarif
        from compiler.version import VERSION

        return as_sarif(every, VERSION)
    from compiler.diagnostics.as_github import as_github

    return as_github(every)


def failure(code: str, path: str, message: str, remedy: str | None = None) -> SpecError:
    """Return the error to raise for something that no place in a spec is to blame for."""
    diagnostics = Diagnostics(path, "")
    diagnostics.report(code, None, message, remedy)
    return SpecError(diagnostics)
