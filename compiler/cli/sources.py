"""Reads the text of specs for the commands that need its syntax and nothing more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compiler.diagnostics import Diagnostics

STDIN = "-"


def source(path: str, *, or_ir: bool = False) -> Diagnostics:
    """Return a spec's path and text, with nothing reported yet; `-` is standard input.

    Args:
        path: The file.
        or_ir: Whether it may be an IR file as well as a spec.

    Raises:
        SpecError: It cannot be read.
    """
    from compiler.files import read_start
    from compiler.reading import MOST_BYTES, MOST_IR_BYTES, decode, read_file

    if path == STDIN:
        diagnostics = Diagnostics("<stdin>", "")
        content = read_start(sys.stdin.buffer, MOST_IR_BYTES if or_ir else MOST_BYTES)
        text = decode(content, diagnostics, or_ir=or_ir)
    else:
        diagnostics = Diagnostics(path, "")
        text = read_file(Path(path), diagnostics, or_ir=or_ir)
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
