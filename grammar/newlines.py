"""Decides which newlines end a statement, between Lark's lexer and its parser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from lark import Token
from lark.lark import PostLex

SEPARATOR = "_NL"
"""The terminal of both `;` and a newline."""

CONTINUES = frozenset([
    "{", ",", "=", "~", "+", "-", "*", "/", "//", "%", "@", "**", "..",
    "==", "!=", "<", "<=", ">", ">=", "and", "or", "not", "if", "then", "else",
])  # fmt: skip
"""What a statement cannot end with: a newline after one of these is no separator."""

_OPENING = frozenset("([")
_CLOSING = frozenset(")]")


class Newlines(PostLex):
    """Drops every newline that separates nothing.

    These are the newlines at the start of the file, inside `( )` and `[ ]`, after another
    separator, and after an infix operator, `,`, `=`, `~` or `{`.
    """

    always_accept: ClassVar[tuple[str, ...]] = (SEPARATOR,)  # type: ignore[misc]

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens of `stream` without idle newlines."""
        depth = 0
        previous: Token | None = None
        for token in stream:
            if token.type == SEPARATOR:
                if token == "\n" and (depth or previous is None or _continues(previous)):
                    continue
                if previous is None or previous.type == SEPARATOR or previous == "{":
                    continue
            elif token in _OPENING:
                depth += 1
            elif token in _CLOSING:
                depth -= 1
            previous = token
            yield token


def _continues(token: Token) -> bool:
    return token.type == SEPARATOR or (token.type != "NAME" and token in CONTINUES)
