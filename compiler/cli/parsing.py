"""Parses a spec for the commands that need its syntax tree and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.diagnostics import Diagnostics, SpecError

if TYPE_CHECKING:
    from grammar.nodes import Spec
    from grammar.problems import SyntaxProblems

_CODES = {"encoding": "PPL002", "too-large": "PPL002", "reserved": "PPL012"}
"""The code of each kind of syntax problem that is not a `PPL001`."""


def decoded(data: bytes, path: str) -> str:
    """Return the text of a spec.

    Raises:
        SpecError: It is not text.
    """
    from grammar.problems import SyntaxProblems
    from grammar.source import decode

    try:
        return decode(data, path)
    except SyntaxProblems as problems:
        raise _error(problems, "") from None


def parsed(text: str, path: str) -> Spec:
    """Return the syntax tree of a spec.

    Raises:
        SpecError: It does not parse.
    """
    from grammar.parse import parse
    from grammar.problems import SyntaxProblems

    try:
        return parse(text, path)
    except SyntaxProblems as problems:
        raise _error(problems, text) from None


def _error(problems: SyntaxProblems, text: str) -> SpecError:
    diagnostics = Diagnostics(problems.path, text)
    for problem in problems.problems:
        code = _CODES.get(problem.kind, "PPL001")
        diagnostics.report(code, problem.span, problem.message, problem.remedy)
    return SpecError(diagnostics)
