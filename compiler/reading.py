"""Reads the text of a spec, and reports what keeps it from being read or parsed."""

from __future__ import annotations

from pathlib import Path

from compiler.diagnostics import Diagnostics
from grammar.problems import SyntaxProblems

MOST_BYTES = 1_000_000
"""A spec larger than this is refused unread: no person wrote it."""

_UNREADABLE = frozenset(["too-deep", "too-large", "encoding"])


def read_file(path: Path, diagnostics: Diagnostics) -> str | None:
    """Return the text of a file, or None once it was reported why there is none."""
    remedy = "give the path of a .ppl file"
    try:
        if path.is_dir():
            message = f"{path} is a folder"
        elif path.stat().st_size > MOST_BYTES:
            message = f"{path} is larger than {MOST_BYTES // 1_000_000} MB"
            remedy = "a spec of that size is no spec: numbers belong in a data file"
        else:
            return decode(path.read_bytes(), diagnostics)
    except FileNotFoundError:
        message = f"there is no file {path}"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"{path} cannot be read: {(reason or 'unknown error').lower()}"
    diagnostics.report("PPL002", None, message, remedy)
    return None


def decode(data: bytes, diagnostics: Diagnostics) -> str | None:
    """Return bytes as text, or None once it was reported why they are none."""
    if len(data) > MOST_BYTES:
        size = f"{MOST_BYTES // 1_000_000} MB"
        diagnostics.report("PPL002", None, f"this is larger than {size}", "give a .ppl file")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"this is not UTF-8 text (byte {error.start})"
        diagnostics.report("PPL002", None, message, "give a .ppl file, saved as UTF-8")
        return None


def report_syntax(problems: SyntaxProblems, diagnostics: Diagnostics) -> None:
    """Report the errors of a text that does not parse."""
    for problem in problems.problems:
        code = "PPL002" if problem.kind in _UNREADABLE else "PPL001"
        diagnostics.report(code, problem.span, problem.message, problem.remedy)
