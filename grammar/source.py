"""Makes sure that a spec is text of a size that can be parsed, before anything reads it."""

from __future__ import annotations

import re
from bisect import bisect_right

from grammar.problems import SyntaxProblem, SyntaxProblems
from grammar.span import Span

MAX_CHARACTERS = 1_000_000
"""The longest spec that is parsed."""

_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_BOM = "\ufeff"


def decode(data: bytes, path: str = "<spec>") -> str:
    """Return the text of a file.

    Args:
        data: The file's bytes: UTF-8, with or without a byte-order mark.
        path: The file, for messages.

    Raises:
        SyntaxProblems: The bytes are not UTF-8.
    """
    if len(data) > 4 * MAX_CHARACTERS:
        raise SyntaxProblems(path, [_too_large()])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        problem = SyntaxProblem(
            "encoding",
            f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8 text",
            "save the spec as UTF-8",
            Lines(before).span(len(before), len(before) + 1),
        )
        raise SyntaxProblems(path, [problem]) from None


def normalise(text: str, path: str) -> str:
    """Return `text` with a byte-order mark and carriage returns blanked, offsets unchanged.

    Raises:
        SyntaxProblems: The text is too long, or holds control characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise SyntaxProblems(path, [_too_large()])
    found = _NO_TEXT.search(text)
    if found:
        problem = SyntaxProblem(
            "encoding",
            f"the file holds the control character 0x{ord(found[0]):02x}: it is not a text file",
            "give a spec as plain text, saved as UTF-8",
            Lines(text).span(found.start(), found.end()),
        )
        raise SyntaxProblems(path, [problem])
    if text.startswith(_BOM):
        text = " " + text[1:]
    return text.replace("\r\n", " \n").replace("\r", "\n")


class Lines:
    """Turns offsets into lines and columns.

    Args:
        text: The text that the offsets count in.
    """

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def span(self, start: int, end: int) -> Span:
        """Return the span of the characters from `start` up to `end`."""
        return Span(start, end, *self._place(start), *self._place(end))

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def _too_large() -> SyntaxProblem:
    return SyntaxProblem(
        "too-large",
        f"the spec is longer than {MAX_CHARACTERS:,} characters",
        "give data as a file, not as numbers in the spec",
        Span(0, 0, 1, 1, 1, 1),
    )
