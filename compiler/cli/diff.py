"""`pplc diff`: what a change of a spec does to the model and to the guide."""

from __future__ import annotations

import sys

import click

from compiler.cli.guard import OK, Guarded
from compiler.cli.specs import program

DIFFERENT = 1


@click.command(
    "diff",
    cls=Guarded,
    short_help="Tell what a change does to the model and the guide.",
    examples=(
        "pplc diff old.ppl new.ppl",
        "git show HEAD:model.ppl | pplc diff - model.ppl",
        "pplc diff old.ppl new.ppl --format json --exit-code",
    ),
)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text is for people, json for programs.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the two differ.")
def command(old: str, new: str, form: str, exit_code: bool) -> int:
    """Tell what differs between two specs or IR files, layout and comments aside.

    Told are sites, dims, data, parts of the guide with their parameter counts, init and options,
    and the settings of the fit. A count whose dims get their size from the data is a formula,
    such as 2·school + 5. One of the two files may be `-` for standard input.
    """
    from compiler.diff import changes, facts
    from compiler.diff.as_text import as_json, as_text

    if old == new == "-":
        raise click.UsageError("Only one of the two can be standard input.")
    found = changes(*(facts(program(path, warnings=False)) for path in (old, new)))
    if form == "json":
        click.echo(as_json(found))
    else:
        from compiler.diagnostics.paint import paint_for

        click.echo(as_text(found, paint_for(sys.stdout)), color=True)
    return DIFFERENT if found and exit_code else OK
