"""Compiles the specs named on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.cli.report import show
from compiler.cli.sources import STDIN, source

if TYPE_CHECKING:
    from compiler.ir import Program
    from compiler.pipeline import Compilation


def compilation(path: str, silenced: frozenset[str] = frozenset()) -> Compilation:
    """Return what became of a spec or an IR file; `-` is standard input."""
    from compiler.pipeline import compile_file, compile_source

    if path == STDIN:
        spec = source(path)
        return compile_source(spec.text, spec.path, silenced=silenced)
    return compile_file(path, silenced=silenced)


def program(path: str, silenced: frozenset[str] = frozenset(), *, warnings: bool = True) -> Program:
    """Return the program of a spec or an IR file, its warnings shown unless told otherwise.

    Raises:
        SpecError: The spec has errors.
    """
    compiled = compilation(path, silenced)
    compiled.diagnostics.raise_errors()
    if warnings:
        show([compiled.diagnostics])
    assert compiled.program is not None
    return compiled.program
