"""Diagnostics as workflow commands of GitHub Actions, which shows them in the changed lines."""

from __future__ import annotations

from collections.abc import Iterable

from compiler.diagnostics.diagnostic import Diagnostic, Diagnostics


def as_github(every: Iterable[Diagnostics]) -> str:
    """Return a line a diagnostic: `::error file=a.ppl,line=3,col=5,…::message`."""
    return "\n".join(_line(d, one.path) for one in every for d in one)


def _line(diagnostic: Diagnostic, path: str) -> str:
    fields = {"file": path, "title": f"pplc {diagnostic.code}"}
    if span := diagnostic.span:
        fields |= {"line": str(span.line), "col": str(span.column), "endLine": str(span.end_line)}
        if span.line == span.end_line:
            fields["endColumn"] = str(span.end_column)
    message = diagnostic.message
    if diagnostic.remedy:
        message += f"\nhelp: {diagnostic.remedy}"
    listed = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in fields.items())
    return f"::{diagnostic.severity} {listed}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    text = text.replace("%", "%25")
    for character in f"\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
