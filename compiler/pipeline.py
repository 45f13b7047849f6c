"""The pipeline: a line a pass, from the text of a spec to a checked program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from compiler.checks import run_checks
from compiler.diagnostics import Diagnostics
from compiler.ir import Program
from compiler.ir.text import NoProgramError, from_json
from compiler.reading import looks_like_ir, read_file, report_syntax
from compiler.resolve import resolve
from compiler.verify import verify
from grammar.nodes import Spec
from grammar.parse import parse
from grammar.problems import SyntaxProblems


@dataclass(frozen=True)
class Compilation:
    """What a compilation leaves: the program (None where there are errors) and what was told."""

    program: Program | None
    diagnostics: Diagnostics


def compile_text(text: str, path: str, *, silenced: frozenset[str] = frozenset()) -> Compilation:
    """Compile the text of a spec.

    Args:
        text: The spec.
        path: What diagnostics and emitted comments call it.
        silenced: Codes of warnings that are not wanted.
    """
    diagnostics = Diagnostics(path, text, silenced)
    tree = parse_text(text, diagnostics)  # text -> syntax tree
    if tree is None:
        return Compilation(None, diagnostics)
    program = resolve(tree, diagnostics)  # syntax tree -> IR: names, dims, types
    if program is not None and not _guide_errors(diagnostics):
        run_checks(program, diagnostics)  # IR -> diagnostics
    return Compilation(None if diagnostics.errors else program, diagnostics)


def _guide_errors(diagnostics: Diagnostics) -> bool:
    """Tell whether a guide is so wrong that checks of it would only repeat what was told."""
    return any(error.code.startswith(("PPL06", "PPL07")) for error in diagnostics.errors)


def compile_file(path: str | Path, *, silenced: frozenset[str] = frozenset()) -> Compilation:
    """Compile a spec, or an IR file that `pplc emit ir` wrote; never raises for a bad file."""
    diagnostics = Diagnostics(str(path), "", silenced)
    text = read_file(Path(path), diagnostics, or_ir=True)
    if text is None:
        return Compilation(None, diagnostics)
    return compile_source(text, str(path), silenced=silenced)


def compile_source(text: str, path: str, *, silenced: frozenset[str] = frozenset()) -> Compilation:
    """Compile a text that is a spec or an IR file, as its first character tells."""
    if looks_like_ir(text):
        return _compile_ir(text, Diagnostics(path, text, silenced))
    return compile_text(text, path, silenced=silenced)


def parse_text(text: str, diagnostics: Diagnostics) -> Spec | None:
    """Return the syntax tree, or None once every syntax error has been told."""
    try:
        return parse(text, diagnostics.path)
    except SyntaxProblems as problems:
        report_syntax(problems, diagnostics)
        return None


def _compile_ir(text: str, diagnostics: Diagnostics) -> Compilation:
    try:
        program = from_json(text)
    except NoProgramError as error:
        diagnostics.report(
            "PPL002",
            None,
            f"this is not an IR file of this version: {error}",
            "regenerate it with `pplc emit ir`, or give the spec itself",
        )
        return Compilation(None, diagnostics)
    verify(program, diagnostics)
    if not diagnostics.errors:
        _check_ir(program, diagnostics)
    return Compilation(None if diagnostics.errors else program, diagnostics)


def _check_ir(program: Program, diagnostics: Diagnostics) -> None:
    """Check a program that no resolver has made, and try what is to be done with it.

    Its types may contradict each other, over which checks and emission raise what they like.
    """
    from compiler.emit import emit_module

    try:
        run_checks(program, diagnostics)
        if not diagnostics.errors:
            compile(emit_module(program), program.path, "exec")
    except Exception:
        diagnostics.report(
            "PPL002",
            None,
            "the IR contradicts itself: no code can be emitted from it",
            "regenerate it with `pplc emit ir`, or give the spec itself",
        )
