"""Writes results: a file is written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from compiler.cli.report import failure


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
    """Write a file whole: readers see the old content or the new, never a part.

    A link is followed, and an existing file's permissions are kept.

    Raises:
        SpecError: It cannot be written; the old content is untouched.
    """
    target = Path(path).resolve()
    temporary = None
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        raise failure("PPL098", path, f"cannot write the file: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
