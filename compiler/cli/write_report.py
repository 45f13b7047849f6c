"""`pplc report`: the report of a fit that was saved."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from compiler.cli.guard import OK, Guarded
from compiler.diagnostics import Diagnostics


@click.command(
    "report",
    cls=Guarded,
    short_help="Write the report of a saved fit.",
    examples=(
        "pplc report eight_schools-fit",
        "pplc report eight_schools-fit -o schools.html",
    ),
)
@click.argument("folder", metavar="FOLDER")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write to this file instead of to report.html in the folder.",
)
def command(folder: str, output: str | None) -> int:
    """Write the report of the fit in FOLDER, which `compile-and-fit` wrote.

    It is one HTML page with the verdict, tables, figures, the model graph and the code; it needs
    no network, and holds no scripts.
    """
    gc.enable()  # the command line turned it off, for the commands that end at once
    from compiler.report import content_in, report_page
    from compiler.run.output import add_report, write_page

    page, diagnostics = report_page(content_in(Path(folder))), Diagnostics(folder, "")
    if output:
        path = write_page(page, Path(output), diagnostics)
    else:
        path = add_report(page, Path(folder), diagnostics)
    click.echo(f"saved in {path}")
    return OK
