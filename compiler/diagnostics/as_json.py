"""Diagnostics as JSON for programs; the form is stable within its `version`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from compiler.diagnostics.codes import CODES
from compiler.diagnostics.diagnostic import Diagnostic, Diagnostics
from grammar.span import Span

VERSION = 1
"""Raised by one whenever a reader of the version before could stumble over the new form."""


def as_json(every: Iterable[Diagnostics]) -> str:
    """Return one JSON document for the diagnostics of several specs.

    The document is an object of

    - `version`: of this form, 1;
    - `errors`, `warnings`: how many there are of each;
    - `diagnostics`: a list, spec by spec in the order given, and in the order of the text, of
      objects with `code` (`PPL010`), `slug` (`undefined-name`), `severity` (`error` or
      `warning`), `message`, `remedy` (a string or null), `path`, `span` (or null where no place
      in the spec is to blame) and `notes` (a list of objects with `message`, `path` and `span`).

    A span is an object with `start` and `end`, each with `line` and `column` (from 1, in
    characters) and `offset` (from 0, in characters); `end` is just past the last character.
    """
    found = list(every)
    document = {
        "version": VERSION,
        "errors": sum(len(one.errors) for one in found),
        "warnings": sum(len(one.warnings) for one in found),
        "diagnostics": [_entry(d, one.path) for one in found for d in one],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _entry(diagnostic: Diagnostic, path: str) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "slug": CODES[diagnostic.code].slug,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "remedy": diagnostic.remedy,
        "path": path,
        "span": _span(diagnostic.span),
        "notes": [
            {"message": message, "path": path, "span": _span(span)}
            for message, span in diagnostic.notes
        ],
    }


def _span(span: Span | None) -> dict[str, dict[str, int]] | None:
    if span is None:
        return None
    return {
        "start": {"line": span.line, "column": span.column, "offset": span.start},
        "end": {"line": span.end_line, "column": span.end_column, "offset": span.end},
    }
