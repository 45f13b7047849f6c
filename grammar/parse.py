"""Parses the text of a spec to its syntax tree."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lark import Lark

from grammar.build import Builder
from grammar.newlines import Newlines
from grammar.nodes import Spec
from grammar.problems import SyntaxProblems
from grammar.span import Span


@cache
def _lark() -> Lark:
    grammar = Path(__file__).with_name("ppl.lark").read_text()
    return Lark(grammar, parser="lalr", propagate_positions=True, postlex=Newlines())


def parse(text: str, path: str = "<spec>") -> Spec:
    """Return the syntax tree of `text`."""
    builder = Builder()
    blocks = builder.transform(_lark().parse(text))
    if builder.problems:
        raise SyntaxProblems(path, builder.problems)
    return Spec(blocks, (), Span(0, len(text), 1, 1, 1, 1))
