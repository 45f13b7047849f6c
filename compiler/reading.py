"""Reads the text of a spec, and reports what keeps it from being read or parsed."""

from __future__ import annotations

from pathlib import Path

from compiler.diagnostics import Diagnostics
from compiler.files import UnreadableError, read_up_to
from grammar.problems import SyntaxProblems

MOST_BYTES = 1_000_000
"""A spec larger than this is refused unread: no person wrote it."""

MOST_IR_BYTES = 100_000_000
"""The same for an IR file, which says at length what a spec says in a few words."""

_UNREADABLE = frozenset(["too-deep", "too-large", "encoding"])


def read_file(path: Path, diagnostics: Diagnostics, *, or_ir: bool = False) -> str | None:
    """Return the text of a file, or None once it was reported why there is none.

    Args:
        path: The file.
        diagnostics: Where to report.
        or_ir: Whether it may be an IR file as well as a spec.
    """
    try:
        content = read_up_to(path, MOST_IR_BYTES if or_ir else MOST_BYTES)
    except UnreadableError as error:
        message = f"there is no file {path}" if error.missing else f"{path} {error.reason}"
        remedy = "give the path of a .ppl file"
        if error.kind == "a pipe":
            remedy += ", or `-` to read standard input"
        diagnostics.report("PPL002", None, message, remedy)
        return None
    return decode(content, diagnostics, or_ir=or_ir)


def decode(data: bytes, diagnostics: Diagnostics, *, or_ir: bool = False) -> str | None:
    """Return bytes as text, or None once it was reported why they are none."""
    is_ir = or_ir and looks_like_ir(data[:4096].decode(errors="replace"))
    most = MOST_IR_BYTES if is_ir else MOST_BYTES
    if len(data) > most:
        remedy = "a spec of that size is no spec: numbers belong in a data file"
        diagnostics.report("PPL002", None, f"this is larger than {most // 1_000_000} MB", remedy)
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"this is not UTF-8 text (byte {error.start})"
        diagnostics.report("PPL002", None, message, "give a .ppl file, saved as UTF-8")
        return None


def looks_like_ir(text: str) -> bool:
    """Whether a text is an IR file rather than a spec, by its first character."""
    return text.lstrip("\ufeff \t\r\n").startswith("{")


def report_syntax(problems: SyntaxProblems, diagnostics: Diagnostics) -> None:
    """Report the errors of a text that does not parse."""
    for problem in problems.problems:
        code = "PPL002" if problem.kind in _UNREADABLE else "PPL001"
        diagnostics.report(code, problem.span, problem.message, problem.remedy)
