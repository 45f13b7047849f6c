"""Lays out a long line over several: brackets open up, what is in them hangs by two blanks."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 100
"""How long a line may be."""

STEP = 2
"""How far a block or an open bracket sets its contents in."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """A bracket that may be opened up, an item a line."""

    opening: str
    items: tuple[Doc, ...]
    closing: str


Doc = tuple["str | Bracket", ...]
"""A text whose brackets may be opened up."""


def flat(doc: Doc) -> str:
    """Return `doc` on one line."""
    return "".join(
        part
        if isinstance(part, str)
        else part.opening + ", ".join(map(flat, part.items)) + part.closing
        for part in doc
    )


def lay_out(doc: Doc, indent: int, reserved: int = 0) -> list[str]:
    """Return `doc` as lines.

    Args:
        doc: What to lay out.
        indent: The blanks before the first line.
        reserved: The characters that still follow the last line.
    """
    line = " " * indent + flat(doc)
    longest = max(
        (part for part in doc if isinstance(part, Bracket) and part.items),
        key=lambda bracket: len(flat((bracket,))),
        default=None,
    )
    if longest is None or len(line) + reserved <= WIDTH:
        return [line]
    number = doc.index(longest)
    lines = [" " * indent + flat(doc[:number]) + longest.opening]
    for item in longest.items[:-1]:
        lines += lay_out((*item, ","), indent + STEP)
    lines += lay_out(longest.items[-1], indent + STEP)
    return [*lines, *lay_out((longest.closing, *doc[number + 1 :]), indent, reserved)]
