"""Writes results: a file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import click

from compiler.cli.report import failure
from compiler.writing import write_whole


def write_output(text: str, output: str | None) -> None:
    """Write text to a file, or to standard output where `output` is None or `-`.

    Raises:
        SpecError: It cannot be written.
    """
    if output in (None, "-"):
        click.echo(text, nl=not text.endswith("\n"))
    else:
        assert output is not None
        replace(output, (text if text.endswith("\n") else text + "\n").encode())


def replace(path: str, data: bytes) -> None:
    """Write a file whole, as `write_whole` does.

    Raises:
        SpecError: It cannot be written; the old content is untouched.
    """
    try:
        write_whole(Path(path), data)
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
        reason = getattr(error, "strerror", None) or error
        raise failure("PPL098", path, f"cannot write the file: {reason}") from None
