"""What a syntax error tells: its kind, what was found, what to write instead, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from grammar.span import Span

Kind = Literal[
    "unexpected",  # a word or a sign that cannot stand there
    "unclosed",  # a bracket or a string without its other half
    "character",  # a character that the language does not have
    "number",  # a number that no machine number holds
    "reserved",  # a reserved word used as a name
    "unfinished",  # a statement that ends too early
    "foreign",  # the form of another language
    "too-deep",  # nested beyond the limit
    "too-large",  # longer than the limit
    "encoding",  # not text
]


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """One syntax error.

    Attributes:
        kind: What sort of error it is.
        message: What was found and, if known, what was expected, in the author's words.
        remedy: What to write instead.
        span: The text that the message is about.
    """

    kind: Kind
    message: str
    remedy: str
    span: Span


class SyntaxProblems(Exception):  # noqa: N818 - a collection of problems, named for what it holds
    """A spec that does not parse.

    Attributes:
        path: The file, as given to `parse`.
        problems: The errors, in the order of the text; at least one.
    """

    def __init__(self, path: str, problems: Iterable[SyntaxProblem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda problem: problem.span))
        first = self.problems[0]
        more = len(self.problems) - 1
        super().__init__(
            f"{path}:{first.span.line}:{first.span.column}: {first.message}"
            + (f" (and {more} more)" if more else "")
        )
