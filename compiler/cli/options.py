"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from compiler.diagnostics import CODES, did_you_mean
from compiler.diagnostics.pages import find
from compiler.tables.optimizers import SETTINGS


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

guide_name = click.option(
    "--guide", metavar="NAME", help="Which of the spec's guides; the first by default."
)

seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of all random numbers."
)

quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Print errors only, and the JSON where asked for."
)

allow_callables = click.option(
    "--allow-callables",
    is_flag=True,
    help="Let the spec import the Python functions that it names.",
)

correction = click.option(
    "--correction",
    type=click.Choice(SETTINGS["correction"].choices),
    help="What is done with the guide's draws: as much as is needed (auto), annealing to the "
    "posterior, importance weights, or nothing.",
)


_WHOLE = re.compile(r"0*[1-9][0-9]{0,30}", re.ASCII)


def _sizes(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    del context, parameter
    sizes = {}
    for value in values:
        dim, equals, size = (part.strip() for part in value.partition("="))
        if not (dim and equals and _WHOLE.fullmatch(size)):
            raise click.BadParameter(
                f"{value[:60]!r} is not of the form DIM=N, with a whole number N"
            )
        sizes[dim] = int(size)
    return sizes


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what the data are: `--data`, `--map` and `--set`."""
    for option in reversed(_DATA):
        command = option(command)
    return command


def mapping_of(mapped: tuple[str, ...]) -> dict[str, str]:
    """Read what `--map` was given; imports what reads data.

    Raises:
        click.BadParameter: It is not of the form NAME=COLUMN.
    """
    from compiler.binding import parse_mapping

    try:
        return parse_mapping(mapped)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--map") from None


_DATA = (
    click.option(
        "--data",
        multiple=True,
        metavar="FILE",
        help="JSON, CSV, Parquet, Arrow, npz or npy, by the file's ending, or a folder of npy "
        "files; may be repeated.",
    ),
    click.option(
        "--map",
        "mapped",
        multiple=True,
        metavar="NAME=COLUMN",
        help="Read the spec's variable NAME from this column or key; "
        "NAME=COLUMN,COLUMN,… for the columns of a matrix. May be repeated.",
    ),
    click.option(
        "--set",
        "sizes",
        multiple=True,
        metavar="DIM=N",
        callback=_sizes,
        help="Set the size of a dim that the data does not tell; may be repeated.",
    ),
)
