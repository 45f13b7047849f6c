"""Finds the comments of a spec, and blanks them and the insides of strings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from grammar.nodes import Comment
from grammar.problems import SyntaxProblem
from grammar.source import Lines

_PIECE = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<string> "(?:[^"\\\n]|\\[^\n])*" )
    | (?P<half_string> "[^\n]* )
    | (?P<long_comment> /\*(?:[^*]|\*(?!/))*(?:\*/)? )
    | (?P<line_comment> (?P<lead> (?:^|[;{}])[ \t]* )//[^\n]* )
    """,
    re.VERBOSE | re.MULTILINE,
)
_INK = re.compile(r"[^\n]")


@dataclass(slots=True)
class Masked:
    """A text of which only brackets, words and signs are left.

    Attributes:
        text: The spec with comments and the insides of strings blanked, offsets unchanged.
        comments: The comments in order.
        problems: Strings without an end, and comments of other languages.
        damaged: Offsets in the statements that the strings without an end make unreadable.
    """

    text: str = ""
    comments: list[Comment] = field(default_factory=list)
    problems: list[SyntaxProblem] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)


def mask(text: str, lines: Lines) -> Masked:
    """Return `text` masked."""
    masked = Masked()

    def replace(piece: re.Match[str]) -> str:
        start, end = piece.span()
        kept = ""
        match piece.lastgroup:
            case "comment":
                written = piece[0].rstrip()
                own_line = not text[text.rfind("\n", 0, start) + 1 : start].strip()
                span = lines.span(start, start + len(written))
                masked.comments.append(Comment(written, own_line, span))
            case "string":
                return f'"{" " * (end - start - 2)}"'
            case "half_string":
                masked.damaged.append(start)
                masked.problems.append(
                    SyntaxProblem(
                        "unclosed",
                        "this string is not closed on its line",
                        'end it with `"`',
                        lines.span(start, start + len(piece[0].rstrip())),
                    )
                )
            case _:
                kept = piece["lead"] or ""
                masked.problems.append(
                    SyntaxProblem(
                        "foreign",
                        f"`{piece[0][len(kept) :][:2]}` opens no comment here",
                        "begin a comment with `#`, on each of its lines",
                        lines.span(start + len(kept), end),
                    )
                )
        return kept + _INK.sub(" ", piece[0][len(kept) :])

    masked.text = _PIECE.sub(replace, text)
    return masked
