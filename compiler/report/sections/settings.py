"""Settings, versions and hashes: what it takes to make the fit again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from compiler.report.blocks import Block, Folded, Table
from compiler.report.content import Content
from compiler.report.numbers import number


def settings(content: Content) -> Sequence[Block]:
    """Return tables of settings, sizes, versions and hashes."""
    record = content.record
    hashes: dict[str, Any] = dict(record.get("hashes", {}))
    data: Mapping[str, str] = hashes.pop("data", {})
    groups = {
        "Settings": content.settings,
        "Sizes of dims": content.sizes,
        "Versions": {**record.get("versions", {}), **record.get("machine", {})},
        "SHA-256": {**hashes, **{f"data: {name}": digest for name, digest in data.items()}},
    }
    tables = [
        Table((name, ""), [(key, _value(value)) for key, value in group.items()], name, False)
        for name, group in groups.items()
        if group
    ]
    return [Folded("Settings, sizes, versions and hashes", tables)]


def _value(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False) if value else "–"
    return number(value)
