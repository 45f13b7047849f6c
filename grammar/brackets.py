"""Matches the brackets of a spec and finds where its statements end, before anything is parsed."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field

from grammar.problems import Kind, SyntaxProblem
from grammar.source import Lines

MAX_DEPTH = 100
"""How deep brackets may nest."""

_SIGN = re.compile(r'[()\[\]{}\n;~]|!(?!=)|[^\w\s,=+*%@<>.:/"!-]', re.ASCII)
_BLOCK = re.compile(r"(?:data|derive|model|predict|guide|fit)\b[^=:~\n]*\{")
_CONTINUES = re.compile(r"(?:[,=~+*/%@<>-]|\.\.|\b(?:and|or|not|if|then|else))\Z")
_INK = re.compile(r"\S")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(slots=True)
class Outline:
    """Where the statements of a spec stand.

    Attributes:
        text: The spec, masked.
        ends: Where statements end: offsets of newlines, `;`, `{` and `}` outside `( )` and `[ ]`.
        blocks: For each `{` its `}`.
        unknown: Offsets of characters that no statement can hold.
        problems: Brackets that do not match.
        damaged: Offsets in the statements that those brackets make unreadable.
        whole: Whether the braces match, so that parsing makes sense.
    """

    text: str
    ends: list[int] = field(default_factory=list)
    blocks: dict[int, int] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)
    problems: list[SyntaxProblem] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    whole: bool = True

    def statement_at(self, offset: int) -> tuple[int, int]:
        """Return start and end of the statement at `offset`, or of the last one before it.

        The head of a block counts with the whole block.
        """
        number = bisect_left(self.ends, offset)
        while True:
            start = self.ends[number - 1] + 1 if number else 0
            end = self.ends[number] if number < len(self.ends) else len(self.text)
            if number == 0 or self.text[start:end].strip():
                break
            number -= 1
        return start, self.blocks.get(end, end - 1) + 1

    def end_after(self, offset: int) -> int:
        """Return where the first statement end at or after `offset` stands."""
        number = bisect_left(self.ends, offset)
        return self.ends[number] if number < len(self.ends) else len(self.text)


def outline(text: str, lines: Lines) -> Outline:
    """Return where the statements of the masked `text` stand."""
    found = _Outliner(text, lines, by_indent=False).run()
    # Where braces are missing, the author's indentation tells which; elsewhere it tells nothing.
    return found if found.whole else _Outliner(text, lines, by_indent=True).run()


class _Outliner:
    """Walks over the signs of a text with the brackets that are open."""

    def __init__(self, text: str, lines: Lines, by_indent: bool) -> None:
        self.text = text
        self.lines = lines
        self.by_indent = by_indent
        self.open: list[int] = []
        self.continues = False
        self.found = Outline(text)

    def run(self) -> Outline:
        for sign in _SIGN.finditer(self.text):
            offset = sign.start()
            match sign[0]:
                case "(" | "[":
                    self.open.append(offset)
                case "{":
                    self.end_statement(offset)
                    self.open.append(offset)
                case ")" | "]":
                    self.close(offset)
                case "}":
                    self.end_statement(offset)
                    self.close_block(offset)
                case "\n":
                    self.newline(offset)
                case ";":
                    if not self.within():
                        self.found.ends.append(offset)
                        self.continues = False
                case "~":
                    self.tilde(offset)
                case _:
                    self.found.unknown.append(offset)
            if len(self.open) > MAX_DEPTH:
                self.report(
                    "too-deep",
                    f"brackets nest deeper than {MAX_DEPTH}",
                    "give the inner parts names of their own",
                    offset,
                )
                self.found.whole = False
                return self.found
        self.end_statement(len(self.text))
        while self.open:
            self.unclosed_block()
        return self.found

    def within(self) -> bool:
        """Return whether a `(` or `[` is open."""
        return bool(self.open) and self.text[self.open[-1]] != "{"

    def newline(self, offset: int) -> None:
        """End the statement, unless it goes on; a block's head in column 1 closes everything."""
        if self.open and _BLOCK.match(self.text, offset + 1):
            self.end_statement(offset)
            while self.open:
                self.unclosed_block()
        start = max(
            self.text.rfind("\n", 0, offset), self.found.ends[-1] if self.found.ends else -1
        )
        line = self.text[start + 1 : offset].rstrip()
        if line:
            self.continues = bool(_CONTINUES.search(line))
        if not (self.within() or self.continues):
            self.found.ends.append(offset)

    def tilde(self, offset: int) -> None:
        """A `~` never stands in brackets: one on a later line shows that they are unclosed."""
        line = self.text.rfind("\n", 0, offset)
        if self.within() and self.open[-1] < line:
            self.unclosed()
            self.found.ends.append(line)

    def end_statement(self, offset: int) -> None:
        """End the statement before a brace, which never stands in brackets."""
        self.unclosed()
        self.found.ends.append(offset)
        self.continues = False

    def unclosed(self) -> None:
        """Report every `(` and `[` that is open."""
        while self.within():
            offset = self.open.pop()
            sign = self.text[offset]
            self.report(
                "unclosed", f"`{sign}` is never closed", f"close it with `{_CLOSING[sign]}`", offset
            )
            self.found.damaged.append(offset)

    def unclosed_block(self) -> None:
        """Report the innermost `{` that is open."""
        self.report("unclosed", "`{` is never closed", "close the block with `}`", self.open.pop())
        self.found.whole = False

    def close(self, offset: int) -> None:
        """Close the innermost `(` or `[`."""
        sign = self.text[offset]
        if not self.within():
            self.report("unclosed", f"`{sign}` closes nothing", "remove it, or open it", offset)
            self.found.damaged.append(offset)
            return
        opened = self.open.pop()
        wanted = _CLOSING[self.text[opened]]
        if sign != wanted:
            line = self.lines.span(opened, opened).line
            self.report(
                "unclosed",
                f"`{sign}` closes the `{self.text[opened]}` of line {line}",
                f"write `{wanted}`",
                offset,
            )
            self.found.damaged.append(opened)

    def close_block(self, offset: int) -> None:
        """Close the innermost `{`, or the outer one that the indentation tells."""
        if not self.open:
            self.report("unclosed", "`}` closes nothing", "remove it, or open a block", offset)
            self.found.whole = False
            return
        column = self.indent(offset)
        if self.by_indent and column == offset - self.text.rfind("\n", 0, offset) - 1:
            while self.indent(self.open[-1]) > column and any(
                self.indent(outer) == column for outer in self.open
            ):
                self.unclosed_block()
        self.found.blocks[self.open.pop()] = offset

    def indent(self, offset: int) -> int:
        """Return how many blanks the line of `offset` begins with."""
        line = self.text.rfind("\n", 0, offset) + 1
        ink = _INK.search(self.text, line)
        return ink.start() - line if ink else 0

    def report(self, kind: Kind, message: str, remedy: str, offset: int) -> None:
        span = self.lines.span(offset, offset + 1)
        self.found.problems.append(SyntaxProblem(kind, message, remedy, span))
