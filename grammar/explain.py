"""Says what is wrong where the parser cannot go on."""

from __future__ import annotations

import re

from lark import Lark
from lark.exceptions import UnexpectedInput, UnexpectedToken

from grammar import characters
from grammar.brackets import Outline
from grammar.expected import expected
from grammar.foreign import recognise
from grammar.newlines import SEPARATOR
from grammar.problems import Kind, SyntaxProblem
from grammar.source import Lines

_LAST = re.compile(r"(?:\w+|\S)(?=\s*\Z)", re.ASCII)
_ENDS = {
    SEPARATOR: "the statement ends",
    "RBRACE": "the block ends",
    "$END": "the file ends",
}
_COMPARISONS = frozenset(["==", "!=", "<", "<=", ">", ">="])


class Explainer:
    """Explains the errors of one spec.

    Args:
        source: The spec, normalised.
        outline: Where its statements stand.
        lines: Its lines.
        parser: The parser that gave up.
    """

    def __init__(self, source: str, outline: Outline, lines: Lines, parser: Lark) -> None:
        self.source = source
        self.outline = outline
        self.lines = lines
        self.parser = parser

    def character(self, offset: int) -> SyntaxProblem:
        """Explain a character that no statement can hold."""
        found = self.source[offset]
        return self.foreign(offset) or self.problem(
            "character", characters.message(found), characters.remedy(found), offset, offset + 1
        )

    def error(self, error: UnexpectedInput) -> SyntaxProblem:
        """Explain an error of the parser."""
        offset = self.place(error)
        return self.foreign(offset) or self.unexpected(error, offset)

    def place(self, error: UnexpectedInput) -> int:
        """Return the offset of what cannot stand where it does."""
        if isinstance(error, UnexpectedToken) and error.token.type == "$END":
            return len(self.outline.text.rstrip())
        assert error.pos_in_stream is not None
        return error.pos_in_stream

    def foreign(self, offset: int) -> SyntaxProblem | None:
        """Explain what stands at `offset` as the habit of another language, if it is one."""
        start, _ = self.outline.statement_at(offset)
        end = min(self.outline.end_after(offset) + 1, len(self.source))
        habit = recognise(self.outline.text[start:end], offset - start)
        if not habit:
            return None
        return self.problem(
            "foreign", habit.message, habit.remedy, start + habit.start, start + habit.end
        )

    def unexpected(self, error: UnexpectedInput, offset: int) -> SyntaxProblem:
        """Explain what stands at `offset` by what could have stood there."""
        if not isinstance(error, UnexpectedToken):
            found = self.source[offset]
            return self.problem(
                "character",
                f"`{found}` does not belong here",
                "a `.` stands in numbers and, as `..`, in intervals",
                offset,
                offset + 1,
            )
        token = error.token
        accepted = error.accepts or set()
        what, how = expected(accepted, self.parser)
        ends = _ENDS.get(token.type)
        continued = self.continued(offset)
        if continued and token.type == "LBRACE" and continued[0] in ")]}":
            return self.problem(
                "unexpected",
                "a `{` opens nothing here",
                "write before it what it is: `plate dim { … }`, say",
                offset,
                offset + 1,
            )
        if continued and ends:
            return self.problem(
                "unfinished", f"nothing follows `{continued[0]}`", how, *continued.span()
            )
        if continued:
            sign = continued[0]
            return self.problem(
                "unfinished",
                f"the line ends with `{sign}`, so that its statement goes on to the next one",
                f"finish the statement, or remove `{sign}`",
                *continued.span(),
            )
        if ends and (last := _LAST.search(self.outline.text[:offset])):
            return self.problem(
                "unfinished", f"{ends} where {what} was expected", how, *last.span()
            )
        if token in _COMPARISONS and "PLUS" in accepted and token.type not in accepted:
            return self.problem(
                "unexpected",
                "comparisons do not chain",
                "write `a < b and b < c`",
                offset,
                offset + len(token),
            )
        end = token.end_pos or offset + 1
        return self.problem(
            "unexpected",
            f"`{self.source[offset:end]}` stands where {what} was expected",
            how,
            offset,
            end,
        )

    def continued(self, offset: int) -> re.Match[str] | None:
        """Return what made the line above go on to the line of `offset`, outside brackets."""
        start, _ = self.outline.statement_at(offset)
        line = self.outline.text.rfind("\n", start, offset)
        above = self.outline.text[start : max(line, start)]
        depth = sum(above.count(sign) for sign in "([") - sum(above.count(sign) for sign in ")]")
        if line < start or not above.strip() or depth:
            return None
        return _LAST.search(self.outline.text[:line])

    def problem(self, kind: Kind, message: str, remedy: str, start: int, end: int) -> SyntaxProblem:
        """Return the problem of the text from `start` to `end`."""
        return SyntaxProblem(kind, message, remedy, self.lines.span(start, end))
