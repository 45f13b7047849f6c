"""Where a piece of text stands in a spec: the span that every node and every diagnostic carries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of characters in one file.

    Attributes:
        start: Offset of the first character, from 0.
        end: Offset just past the last character.
        line: Line of the first character, from 1.
        column: Column of the first character, from 1.
        end_line: Line of the last character's end, from 1.
        end_column: Column just past the last character, from 1.
    """

    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int

    def to(self, other: Span) -> Span:
        """Return the span from the start of this one to the end of `other`."""
        return Span(self.start, other.end, self.line, self.column, other.end_line, other.end_column)


NOWHERE = Span(0, 0, 1, 1, 1, 1)
"""The span of what no text stands for, such as a guide that was chosen automatically."""
