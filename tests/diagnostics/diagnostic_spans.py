"""Spans in a text, for tests."""

from grammar.span import Span


def span_of(text: str, piece: str, nth: int = 0) -> Span:
    """Return the span of the nth occurrence of `piece`."""
    start = -1
    for _ in range(nth + 1):
        start = text.index(piece, start + 1)
    end = start + len(piece)
    return Span(start, end, *_place(text, start), *_place(text, end))


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
