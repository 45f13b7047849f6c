"""Any tree, however its text is laid out, parses back to itself, before and after formatting."""

from __future__ import annotations

from typing import Any

from grammar_trees import bare, lines_of, specs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grammar.format import format_spec
from grammar.nodes import Spec
from grammar.parse import parse

_ENDS = ["\n", "\n", "\n\n\n", "  # a trailing comment\n", "\n    # a comment\n", " \t\r\n", " ;\n"]
_GAPS = [", ", ", ", ",", ",\n      ", ",  # within\n   "]


@st.composite
def ragged(draw: Any) -> tuple[list[Any], str]:
    """Draw blocks, and a text for them with comments, blank lines and broken lines anywhere."""
    blocks = draw(specs)
    text = draw(st.sampled_from(["", "\ufeff", "# first\n", "\n\n"]))
    for block in blocks:
        for line in lines_of(block):
            text += " " * draw(st.integers(0, 3))
            pieces = line.split(", ")
            for piece in pieces[:-1]:
                text += piece + draw(st.sampled_from(_GAPS))
            text += pieces[-1] + draw(st.sampled_from(_ENDS))
    return blocks, text


def _comments(spec: Spec) -> list[str]:
    return [comment.text for comment in spec.comments]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(ragged())
def test_any_tree_survives_parsing_and_formatting(case: tuple[list[Any], str]) -> None:
    blocks, text = case
    spec = parse(text)
    assert bare(spec.blocks) == bare(blocks)

    formatted = format_spec(text)
    again = parse(formatted)
    assert bare(again.blocks) == bare(blocks)
    assert _comments(again) == _comments(spec)
    assert format_spec(formatted) == formatted


def on_one_line(lines: list[str]) -> str:
    """The lines of a block with semicolons between its statements, not beside its braces."""
    text = ""
    for line in lines:
        is_bare = not text or text.endswith("{") or line.startswith("}")
        text += (" " if is_bare else " ; ") + line
    return text.lstrip()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs)
def test_a_block_on_one_line_parses_and_formats_alike(blocks: list[Any]) -> None:
    text = "\n".join(on_one_line(lines_of(block)) for block in blocks)
    assert bare(parse(text).blocks) == bare(blocks)
    formatted = format_spec(text)
    assert bare(parse(formatted).blocks) == bare(blocks)
    assert format_spec(formatted) == formatted
