"""Formats emitted source as ruff does, by ruff itself."""

from __future__ import annotations

import subprocess

from ruff.__main__ import find_ruff_bin

LINE_LENGTH = 100


def format_python(source: str) -> str:
    """Return the source as `ruff format --line-length 100` leaves it.

    Raises:
        RuntimeError: If the source is not Python (a mistake in the emitter).
    """
    command = [find_ruff_bin(), "format", "--isolated", "--line-length", str(LINE_LENGTH)]
    done = subprocess.run(
        [*command, "--stdin-filename", "module.py", "-"],
        input=source.encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the emitted source does not parse: {done.stderr.decode()}")
    return done.stdout.decode()
