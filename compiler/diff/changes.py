"""Compares the facts of two programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from compiler.diff.facts import Facts, Value


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was added, removed or changed.

    Attributes:
        topic: What sort of thing it is: `sites`, `guide quick`, ….
        name: Its name.
        kind: What happened to it.
        fields: Each field that differs, with the old and the new value, None for one that is not
            there; of a thing added or removed, all its fields.
    """

    topic: str
    name: str
    kind: Literal["added", "removed", "changed"]
    fields: dict[str, tuple[Value | None, Value | None]]


def changes(old: Facts, new: Facts) -> tuple[Change, ...]:
    """Return what differs, topic by topic in the order of the old program, then of the new one."""
    return tuple(
        change
        for topic in _merged(old, new)
        for name in _merged(old.get(topic, {}), new.get(topic, {}))
        if (change := _change(topic, name, old, new))
    )


def _change(topic: str, name: str, old: Facts, new: Facts) -> Change | None:
    before, after = old.get(topic, {}).get(name), new.get(topic, {}).get(name)
    fields = {
        field: ((before or {}).get(field), (after or {}).get(field))
        for field in _merged(before or {}, after or {})
    }
    if before is None:
        return Change(topic, name, "added", fields)
    if after is None:
        return Change(topic, name, "removed", fields)
    fields = {field: pair for field, pair in fields.items() if pair[0] != pair[1]}
    return Change(topic, name, "changed", fields) if fields else None


def _merged(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    return list(dict.fromkeys([*old, *new]))
