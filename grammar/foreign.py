"""Recognises a foreign habit where a statement stops making sense."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Template

from grammar.habits import HABITS

_LONG = 2_000
"""A statement longer than this is not looked at: no one wrote it by hand."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A habit found in a statement, with its place in it."""

    message: str
    remedy: str
    start: int
    end: int


def recognise(statement: str, stop: int) -> Recognised | None:
    """Return the first habit that explains why a statement stops making sense.

    Args:
        statement: The masked text of the statement.
        stop: Offset in it of what cannot stand there: a habit explains it when it reaches up to
            there, blanks aside.
    """
    if stop > _LONG:
        return None
    statement = statement[: stop + _LONG]
    for habit in HABITS:
        for found in re.finditer(habit.pattern, statement):
            if found.start() <= stop and not statement[found.end() : stop].strip():
                words = {
                    key: " ".join((text or "").split()) for key, text in found.groupdict().items()
                }
                return Recognised(
                    Template(habit.message).safe_substitute(words),
                    Template(habit.remedy).safe_substitute(words),
                    *found.span("found"),
                )
    return None
