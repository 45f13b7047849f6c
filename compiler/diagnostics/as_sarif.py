"""Diagnostics as SARIF 2.1.0, which editors and code review tools read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from compiler.diagnostics.codes import CODES
from compiler.diagnostics.diagnostic import Diagnostic, Diagnostics
from compiler.diagnostics.pages import page
from grammar.span import Span

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_sarif(every: Iterable[Diagnostics], version: str) -> str:
    """Return a SARIF log with one run: the rules that were broken, and a result a diagnostic.

    Args:
        every: The diagnostics of each spec.
        version: The version of pplc.
    """
    found = list(every)
    codes = sorted({d.code for one in found for d in one})
    run = {
        "tool": {
            "driver": {
                "name": "pplc",
                "version": version,
                "rules": [_rule(code) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(d, one.path, codes.index(d.code)) for one in found for d in one],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    row = CODES[code]
    text = page(code)
    return {
        "id": code,
        "name": row.slug,
        "shortDescription": {"text": row.title},
        "fullDescription": {"text": text.meaning},
        "help": {"text": text.markdown, "markdown": text.markdown},
        "defaultConfiguration": {"level": row.severity},
    }


def _result(diagnostic: Diagnostic, path: str, rule: int) -> dict[str, Any]:
    help_text = f"\nhelp: {diagnostic.remedy}" if diagnostic.remedy else ""
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": diagnostic.message + help_text},
        "locations": [{"physicalLocation": _physical(path, diagnostic.span)}],
    }
    if diagnostic.notes:
        result["relatedLocations"] = [
            {
                "id": number,
                "message": {"text": message},
                "physicalLocation": _physical(path, span),
            }
            for number, (message, span) in enumerate(diagnostic.notes)
        ]
    return result


def _physical(path: str, span: Span | None) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(path)}}
    if span:
        location["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
            "charOffset": span.start,
            "charLength": span.end - span.start,
        }
    return location


def _uri(path: str) -> str:
    file = Path(path)
    return file.as_uri() if file.is_absolute() else quote(file.as_posix())
