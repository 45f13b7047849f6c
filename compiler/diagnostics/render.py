"""Diagnostics as text for people: the place, the line with the span underlined, the remedy."""

from __future__ import annotations

from collections.abc import Iterable

from compiler.diagnostics.diagnostic import Diagnostic, Diagnostics
from compiler.diagnostics.excerpt import Source
from compiler.diagnostics.paint import Paint, plain, printable
from grammar.span import Span


def render(diagnostics: Diagnostics, paint: Paint = plain) -> str:
    """Return all diagnostics of one spec, each followed by an empty line."""
    source = Source(diagnostics.text)
    return "".join(f"{_one(d, diagnostics.path, source, paint)}\n\n" for d in diagnostics)


def count_line(every: Iterable[Diagnostics], strict: bool = False, paint: Paint = plain) -> str:
    """Return how many errors and warnings there are, as `2 errors, 1 warning`.

    Args:
        every: The diagnostics of each spec.
        strict: Whether to add that the warnings count as errors.
        paint: Colours.
    """
    found = list(every)
    errors = sum(len(one.errors) for one in found)
    warnings = sum(len(one.warnings) for one in found)
    counts = [
        paint(f"{number} {word}{'' if number == 1 else 's'}", word)
        for number, word in ((errors, "error"), (warnings, "warning"))
        if number
    ]
    suffix = " (with --strict, warnings count as errors)" if strict and warnings else ""
    return (", ".join(counts) or "no errors") + suffix


def _one(diagnostic: Diagnostic, path: str, source: Source, paint: Paint) -> str:
    severity = paint(f"{diagnostic.severity} {diagnostic.code}", diagnostic.severity)
    lines = [
        f"{paint(_place(path, diagnostic.span), 'strong')}: {severity}: "
        f"{paint(_text(diagnostic.message), 'strong')}"
    ]
    if diagnostic.span:
        lines += source.excerpt(diagnostic.span, "^", diagnostic.severity, paint)
    for message, span in diagnostic.notes:
        lines.append(f"{paint('note', 'note')}: {_text(message)} ({_place(path, span)})")
        lines += source.excerpt(span, "-", "note", paint)
    if diagnostic.remedy:
        lines.append(f"{paint('help', 'help')}: {_text(diagnostic.remedy)}")
    return "\n".join(lines)


def _place(path: str, span: Span | None) -> str:
    return printable(path) + (f":{span.line}:{span.column}" if span else "")


def _text(text: str) -> str:
    return "\n      ".join(printable(line) for line in text.split("\n"))
