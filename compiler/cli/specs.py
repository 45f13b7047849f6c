"""Compiles the specs named on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.cli.report import show
from compiler.cli.sources import STDIN, source

if TYPE_CHECKING:
    from compiler.checks import Check
    from compiler.ir import Program
    from compiler.pipeline import Compilation


def compilation(path: str, silenced: frozenset[str] = frozenset()) -> Compilation:
    """Return what became of a spec or an IR file; `-` is standard input."""
    from compiler.pipeline import compile_file, compile_source

    if path == STDIN:
        spec = source(path, or_ir=True)
        return compile_source(spec.text, spec.path, silenced=silenced)
    return compile_file(path, silenced=silenced)


def program(
    path: str,
    silenced: frozenset[str] = frozenset(),
    *,
    warnings: bool = True,
    check: Check | None = None,
) -> Program:
    """Return the program of a spec or an IR file, its warnings shown unless told otherwise.

    Args:
        path: The file.
        silenced: Codes of warnings that are not wanted.
        warnings: Whether to show the others.
        check: A further check of the program.

    Raises:
        SpecError: The spec has errors.
    """
    compiled = compilation(path, silenced)
    if compiled.program is not None and check is not None:
        check(compiled.program, compiled.diagnostics)
    compiled.diagnostics.raise_errors()
    if warnings:
        show([compiled.diagnostics])
    assert compiled.program is not None
    return compiled.program
