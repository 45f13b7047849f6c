"""Formats emitted source as ruff does, by ruff itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ruff.__main__ import find_ruff_bin

LINE_LENGTH = 100


def format_python(source: str) -> str:
    """Return the source as `ruff format --line-length 100` leaves it.

    Raises:
        RuntimeError: If the source is not Python (a mistake in the emitter).
    """
    ruff = find_ruff_bin()
    command = [ruff, "format", "--isolated", "--line-length", str(LINE_LENGTH)]
    done = subprocess.run(
        [*command, "--stdin-filename", "module.py", "-"],
        input=source.encode(),
        capture_output=True,
        check=False,
        cwd=Path(ruff).parent,  # the working directory may have been removed
    )
    if done.returncode:
        raise RuntimeError(f"the emitted source does not parse: {done.stderr.decode()}")
    return done.stdout.decode()
