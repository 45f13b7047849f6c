"""Changes as text for people, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby

from compiler.diagnostics.paint import Paint, plain
from compiler.diff.changes import Change
from compiler.diff.facts import Value

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def as_text(found: Iterable[Change], paint: Paint = plain) -> str:
    """Return the changes, a block a topic; `no difference` where there are none."""
    blocks = [
        "\n".join([paint(topic, "strong"), *(_thing(change, paint) for change in group)])
        for topic, group in groupby(found, key=lambda change: change.topic)
    ]
    return "\n\n".join(blocks) or "no difference"


def as_json(found: Iterable[Change]) -> str:
    """Return the changes as a JSON document.

    It is an object of `version` (of this form, 1) and `changes`, a list of objects with `topic`,
    `name`, `kind` (`added`, `removed` or `changed`) and `fields`: an object that gives for each
    field that differs `{"old": …, "new": …}`, null for one that is not there.
    """
    document = {
        "version": 1,
        "changes": [
            {
                "topic": change.topic,
                "name": change.name,
                "kind": change.kind,
                "fields": {
                    field: {"old": old, "new": new} for field, (old, new) in change.fields.items()
                },
            }
            for change in found
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _thing(change: Change, paint: Paint) -> str:
    head = paint(f"{_SIGNS[change.kind]} {change.name}", change.kind)
    width = max(len(field) for field in change.fields)
    lines = [f"  {head}"]
    for field, (old, new) in change.fields.items():
        label = f"      {field:<{width}}  "
        match change.kind:
            case "added":
                lines.append(label + _spelt(new))
            case "removed":
                lines.append(label + _spelt(old))
            case "changed":
                before, after = paint(_spelt(old), "removed"), paint(_spelt(new), "added")
                lines.append(f"{label}{before} → {after}")
    return "\n".join(lines)


def _spelt(value: Value | None) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
