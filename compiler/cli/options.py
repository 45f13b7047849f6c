"""Options that several commands share."""

from __future__ import annotations

import click

from compiler.diagnostics import CODES, did_you_mean
from compiler.diagnostics.pages import find


def _codes(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> frozenset[str]:
    del context, parameter
    return frozenset(_warning(word) for value in values for word in value.split(",") if word)


def _warning(word: str) -> str:
    code = find(word)
    if code is None:
        warnings = [row for row in CODES.values() if row.severity == "warning"]
        guess = did_you_mean(word, (r.name for r in warnings), (r.slug for r in warnings))
        hint = f"; did you mean {guess}?" if guess else ""
        raise click.BadParameter(f"there is no diagnostic {word}{hint}")
    if CODES[code].severity == "error":
        raise click.BadParameter(f"{code} is an error; only warnings can be silenced")
    return code


silence = click.option(
    "--silence",
    "silenced",
    multiple=True,
    metavar="CODE",
    callback=_codes,
    help="Leave out a warning, by code or name (PPL013 or unused-data); may be repeated.",
)

output = click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write to this file instead of to standard output.",
)
