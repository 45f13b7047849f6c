"""Parses the text of a spec to its syntax tree."""

from __future__ import annotations

import re

from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from grammar.brackets import Outline, outline
from grammar.build import Builder
from grammar.depth import make_room, too_deep
from grammar.explain import Explainer
from grammar.masking import mask
from grammar.nodes import Spec
from grammar.problems import SyntaxProblem, SyntaxProblems
from grammar.source import Lines, normalise
from grammar.tables import parser

_MAX_PROBLEMS = 20
_LONG = 50_000
_INK = re.compile(r"[^\n]")


def parse(text: str, path: str = "<spec>") -> Spec:
    """Return the syntax tree of a spec.

    An erroneous statement is left out and the rest parsed again, so that one run reports the errors
    of many statements.

    Args:
        text: The spec. Its offsets are those of the spans, a byte-order mark included.
        path: The file it was read from, for messages.

    Raises:
        SyntaxProblems: The text is not a spec.
    """
    make_room()
    source = normalise(text, path)
    lines = Lines(source)
    masked = mask(source, lines)
    found = outline(masked.text, lines)
    problems = [*masked.problems, *found.problems]
    if not found.whole or len(problems) >= _MAX_PROBLEMS:
        raise SyntaxProblems(path, problems[:_MAX_PROBLEMS])
    tree = _tree(source, lines, found, [*masked.damaged, *found.damaged], problems)
    builder = Builder()
    blocks = builder.transform(tree) if tree else ()
    problems += builder.problems
    if problems:
        raise SyntaxProblems(path, problems)
    return Spec(blocks, tuple(masked.comments), lines.span(0, len(source)))


def _tree(
    source: str, lines: Lines, found: Outline, damaged: list[int], problems: list[SyntaxProblem]
) -> Tree[Token] | None:
    """Return the parse tree of the statements that parse; add to `problems` those that do not."""
    lark = parser()
    explain = Explainer(source, found, lines, lark)
    text = source
    for problem in problems:
        text = _without(text, problem.span.start, problem.span.end)
    for offset in damaged:
        text = _without(text, *found.statement_at(offset))
    for offset in found.unknown:
        if text[offset] != " ":
            problems.append(explain.character(offset))
            text = _without(text, *found.statement_at(offset))
    while len(problems) < _MAX_PROBLEMS:
        try:
            tree = lark.parse(text)
        except UnexpectedInput as error:
            problems.append(explain.error(error))
            start, end = found.statement_at(explain.place(error))
            if not text[start:end].strip() or len(text) > _LONG:
                return None
            text = _without(text, start, end)
        else:
            deep = too_deep(tree)
            problems += deep
            return None if deep else tree
    return None


def _without(text: str, start: int, end: int) -> str:
    """Return `text` with the characters from `start` to `end` blanked."""
    return text[:start] + _INK.sub(" ", text[start:end]) + text[end:]
