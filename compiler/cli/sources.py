"""Reads the text of specs for the commands that need its syntax and nothing more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compiler.diagnostics import Diagnostics

STDIN = "-"


def source(path: str) -> Diagnostics:
    """Return a spec's path and text, with nothing reported yet; `-` is standard input.

    Raises:
        SpecError: It cannot be read.
    """
    from compiler.reading import decode, read_file

    if path == STDIN:
        diagnostics = Diagnostics("<stdin>", "")
        text = decode(sys.stdin.buffer.read(), diagnostics)
    else:
        diagnostics = Diagnostics(path, "")
        text = read_file(Path(path), diagnostics)
    diagnostics.raise_errors()
    return Diagnostics(diagnostics.path, text or "")


@contextmanager
def syntax_errors(diagnostics: Diagnostics) -> Iterator[None]:
    """Turn the exception of a text that does not parse into a `SpecError`."""
    from compiler.reading import report_syntax
    from grammar.problems import SyntaxProblems

    try:
        yield
    except SyntaxProblems as problems:
        report_syntax(problems, diagnostics)
        diagnostics.raise_errors()
