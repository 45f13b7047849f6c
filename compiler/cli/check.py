"""`pplc check`: tells everything that is wrong with some specs."""

from __future__ import annotations

import click

from compiler.cli.guard import BAD_INPUT, OK, Guarded
from compiler.cli.options import silence
from compiler.cli.report import FORMATS, machine_readable, show
from compiler.cli.specs import compilation


@click.command(
    "check",
    cls=Guarded,
    examples=(
        "pplc check model.ppl",
        "pplc check *.ppl --strict --silence unused-data",
        "pplc check model.ppl --format sarif > model.sarif",
    ),
    short_help="Tell everything that is wrong with a spec.",
)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="text is for people and goes to stderr; the others go to stdout.",
)
@silence
@click.option("--strict", is_flag=True, help="Fail on warnings, too.")
def command(specs: tuple[str, ...], form: str, silenced: frozenset[str], strict: bool) -> int:
    """Tell everything that is wrong with the specs, with the place and a remedy.

    SPEC is a .ppl file, an IR file (.json), or `-` for standard input. Exits with 1 if there is an
    error, with 0 otherwise. Nothing is run, and no data is needed.
    """
    every = [compilation(spec, silenced).diagnostics for spec in specs]
    if form == "text":
        show(every, strict)
        if not any(len(one) for one in every):
            click.echo(f"{', '.join(specs)}: no errors" if len(specs) <= 3 else
                       f"{len(specs)} specs: no errors")  # fmt: skip
    elif text := machine_readable(every, form):
        click.echo(text)
    failed = any(one.errors or (strict and len(one)) for one in every)
    return BAD_INPUT if failed else OK
