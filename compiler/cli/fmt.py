"""`pplc fmt`: puts specs into the one canonical layout."""

from __future__ import annotations

import difflib

import click

from compiler.cli.files import replace
from compiler.cli.guard import BAD_INPUT, OK, Guarded
from compiler.cli.report import show
from compiler.cli.sources import STDIN, source, syntax_errors
from compiler.diagnostics import Diagnostics, SpecError
from compiler.diagnostics.paint import printable


@click.command(
    "fmt",
    cls=Guarded,
    short_help="Format specs.",
    examples=("pplc fmt model.ppl", "pplc fmt --check *.ppl", "pplc fmt - < model.ppl"),
)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
def command(specs: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format the specs in place; comments stay where they are.

    SPEC is a .ppl file, or `-` to read standard input and write standard output. A file that does
    not parse is left as it is, and the exit code is 1.
    """
    refused: list[Diagnostics] = []
    changed = 0
    for spec in specs:
        try:
            old, new = _formatted(spec)
        except SpecError as error:
            refused.append(error.diagnostics)
            continue
        changed += old != new
        if diff:
            click.echo(_diff(spec, old, new), nl=False)
        elif spec == STDIN and not check:
            click.echo(new, nl=False)
        elif old != new:
            if not check:
                replace(spec, new.encode())
            click.echo(f"{'would reformat' if check else 'reformatted'} {spec}", err=True)
    show(refused)
    return BAD_INPUT if refused or (check and changed) else OK


def _formatted(path: str) -> tuple[str, str]:
    """Return a spec's text and its canonical layout, with the line ends that it came with.

    Raises:
        SpecError: It cannot be read or parsed.
    """
    from grammar.format import format_spec

    spec = source(path)
    with syntax_errors(spec):
        new = format_spec(spec.text, spec.path)
    return spec.text, new.replace("\n", "\r\n") if "\r\n" in spec.text else new


def _diff(path: str, old: str, new: str) -> str:
    """Return a unified diff, empty where nothing changes."""
    lines = difflib.unified_diff(
        old.replace("\r\n", "\n").split("\n"),
        new.replace("\r\n", "\n").split("\n"),
        path,
        f"{path} (formatted)",
        lineterm="",
    )
    return "".join(f"{printable(line)}\n" for line in lines)
