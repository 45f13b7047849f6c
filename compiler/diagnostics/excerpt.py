"""Cuts the lines around a span out of a spec and underlines the span."""

from __future__ import annotations

from compiler.diagnostics.paint import Paint, cells, printable
from grammar.span import Span

_TAB = 4
_WIDEST = 160
"""The longest piece of a source line that is shown, in characters."""


class Source:
    """A spec's text, line by line.

    Args:
        text: The text that the spans of the diagnostics count in.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", " \n").replace("\r", "\n")
        self._lines = self._text.split("\n")

    def holds(self, span: Span) -> bool:
        """Whether the span is a place in this text, and not in one that it was made from."""
        return (
            0 <= span.start <= span.end <= len(self._text)
            and self._place(span.start) == (span.line, span.column)
            and self._place(span.end) == (span.end_line, span.end_column)
        )

    def excerpt(self, span: Span, mark: str, style: str, paint: Paint) -> list[str]:
        """Return the span's lines with their numbers, the span underlined with `mark`.

        Of a span over several lines the first and the last are shown. Empty where the span is no
        place in this text.
        """
        if not self.holds(span) or not self._text:
            return []
        numbers = [span.line] if span.line == span.end_line else [span.line, span.end_line]
        gutter = len(str(numbers[-1]))
        bar = paint("|", "note")
        shown = [f"{'':>{gutter}} {bar}"]
        for number in numbers:
            if number == span.end_line > span.line + 1:
                shown.append(paint("." * 3, "note"))
            code, underline = self._underlined(number, span, mark)
            shown.append(f"{paint(f'{number:>{gutter}}', 'note')} {bar} {code}".rstrip())
            if underline:
                blank = len(underline) - len(underline.lstrip())
                shown.append(
                    f"{'':>{gutter}} {bar} {underline[:blank]}{paint(underline[blank:], style)}"
                )
        return shown

    def _place(self, offset: int) -> tuple[int, int]:
        line = self._text.count("\n", 0, offset) + 1
        return line, offset - self._text.rfind("\n", 0, offset)

    def _underlined(self, number: int, span: Span, mark: str) -> tuple[str, str]:
        line = self._lines[number - 1]
        indent = len(line) - len(line.lstrip())
        first = span.column - 1 if number == span.line else indent
        last = span.end_column - 1 if number == span.end_line else len(line.rstrip())
        line = line.rstrip()
        line, first, last = _cropped(line, min(first, len(line)), min(last, len(line)))
        code = ""
        edges = []
        for place, character in enumerate(f"{line} "):
            if place in (first, last):
                edges.append(cells(code))
            if character == "\t":
                code += " " * (_TAB - cells(code) % _TAB)
            else:
                code += printable(character)
        start, end = edges[0] if edges else cells(code), edges[-1] if edges else cells(code)
        if start == end and span.line != span.end_line:
            return code, ""
        return code, " " * start + mark * max(1, end - start)


def _cropped(line: str, first: int, last: int) -> tuple[str, int, int]:
    """Return the line, cut to a readable length, with where the span now begins and ends in it."""
    if len(line) <= _WIDEST:
        return line, first, last
    start = max(0, min(first - _WIDEST // 4, len(line) - _WIDEST))
    piece = line[start : start + _WIDEST]
    lead = "…" if start else ""
    tail = "…" if start + _WIDEST < len(line) else ""
    return (
        f"{lead}{piece}{tail}",
        first - start + len(lead),
        min(last - start, _WIDEST) + len(lead),
    )
