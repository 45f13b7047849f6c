"""What a spec parses to, and that spans tell where it stands."""

from __future__ import annotations

import logging
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import lark
import pytest
from grammar_trees import bare

from grammar import nodes as n
from grammar.keywords import BLOCKS, CLAUSES, RESERVED, STATEMENTS
from grammar.layout import flat
from grammar.newlines import Newlines
from grammar.parse import parse
from grammar.problems import SyntaxProblems
from grammar.write import expression

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.ppl"))


def model(text: str) -> tuple[Any, ...]:
    """Return the statements of a model."""
    block = parse(f"model {{\n{text}\n}}").blocks[0]
    assert isinstance(block, n.ModelBlock)
    return block.body


def value(text: str) -> n.Expr:
    """Return an expression."""
    return model(f"x = {text}")[0].value  # type: ignore[no-any-return]


def walk(node: Any) -> Any:
    """Yield every node below `node`."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif is_dataclass(node) and hasattr(node, "span"):
        yield node
        for field in fields(node):
            yield from walk(getattr(node, field.name))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_spans_slice_to_the_text_of_their_node(path: Path) -> None:
    text = path.read_text()
    lines = text.split("\n")
    for node in walk(parse(text).blocks):
        span = node.span
        written = text[span.start : span.end]
        assert written == written.strip()
        assert lines[span.line - 1][span.column - 1 :].startswith(written.split("\n")[0])
        assert lines[span.end_line - 1][: span.end_column - 1].endswith(written.split("\n")[-1])
        if isinstance(node, n.Name | n.Number):
            assert written == node.text
        if isinstance(node, n.Binary | n.Call | n.Index | n.ListLiteral):
            assert written.replace(" ", "") == flat(expression(node)).replace(" ", "")


def test_spans_count_a_byte_order_mark_and_carriage_returns() -> None:
    text = "\ufeffmodel {\r\n  x = 1\r\n}\r\n"
    block = parse(text).blocks[0]
    assert isinstance(block, n.ModelBlock)
    span = block.body[0].span
    assert text[span.start : span.end] == "x = 1"
    assert (span.line, span.column) == (2, 3)


def test_the_first_program() -> None:
    data, stated, guide, fit = parse(PROGRAMS[0].read_text()).blocks
    assert isinstance(data, n.DataBlock)
    assert isinstance(stated, n.ModelBlock)
    assert isinstance(guide, n.GuideBlock)
    assert isinstance(fit, n.FitBlock)
    sigma = data.declarations[2]
    assert isinstance(sigma, n.DataDecl)
    assert [bound.operator for bound in sigma.type.bounds] == [">"]
    plate = stated.body[2]
    assert isinstance(plate, n.Plate)
    theta = plate.body[0]
    assert isinstance(theta, n.Sample)
    assert [(m.kind, m.argument and m.argument.text) for m in theta.modifiers] == [
        ("reparam", "noncentered")
    ]
    part = guide.statements[1]
    assert isinstance(part, n.Part)
    assert [site.text for site in part.sites] == ["mu", "tau"]
    init = part.options[0]
    assert isinstance(init, n.Init)
    assert init.at[0].name.text == "tau"
    assert [option.name.text for option in fit.options] == ["steps", "optimizer", "particles"]


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("-a ** -b ** c", "-(a ** (-(b ** c)))"),
        ("a - b - c", "(a - b) - c"),
        ("a + b * c @ d", "a + ((b * c) @ d)"),
        ("not a < b and c or d", "((not (a < b)) and c) or d"),
        ("-x[1]", "-(x[1])"),
        ("if a then b else if c then d else e", "if a then b else (if c then d else e)"),
    ],
)
def test_operators_bind_as_in_python(text: str, grouped: str) -> None:
    def ungrouped(node: Any) -> Any:
        if isinstance(node, n.Group):
            return ungrouped(node.inner)
        if isinstance(node, tuple):
            return tuple(map(ungrouped, node))
        if is_dataclass(node):
            return (
                type(node).__name__,
                *(ungrouped(getattr(node, f.name)) for f in fields(node) if f.name != "span"),
            )
        return node

    assert ungrouped(value(text)) == ungrouped(value(grouped))


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("1.5", 1.5), (".5", 0.5), ("1e-3", 0.001), ("1_000", 1000), ("1.", 1.0)],
)
def test_numbers(text: str, number: float) -> None:
    parsed = value(text)
    assert isinstance(parsed, n.Number)
    assert (parsed.value, type(parsed.value)) == (number, type(number))


@pytest.mark.parametrize("written", ["0 .. 1", "0..1", "0. .. 1.", "0 ..1"])
def test_intervals(written: str) -> None:
    (block,) = parse(f"data {{ y : real in {written} }}").blocks
    assert isinstance(block, n.DataBlock)
    declared = block.declarations[0]
    assert isinstance(declared, n.DataDecl)
    assert declared.type.interval
    assert [bound.operator for bound in declared.type.bounds] == [">=", "<="]


@pytest.mark.parametrize("written", ["real > 0, < 1", "real > 0 < 1", "real < 1, > 0"])
def test_two_bounds(written: str) -> None:
    (block,) = parse(f"data {{ y : {written} }}").blocks
    assert isinstance(block, n.DataBlock)
    assert len(block.declarations[0].type.bounds) == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "x = a +\n  b",
        "x =\n\n  # why\n  a + b",
        "x = a + b ;",
        "x ~\nNormal(a,\n  b\n)",
        "x = (a\n  + b)",
        ";; x = a + b ;\n;",
    ],
)
def test_where_a_newline_ends_no_statement(text: str) -> None:
    assert len(model(text)) == 1


def test_soft_words_are_names() -> None:
    words = sorted((BLOCKS | STATEMENTS | CLAUSES) - {"init"})
    declared = "\n".join(f"  {word}[{word}] : real" for word in words)
    drawn = "\n".join(f"  {word} ~ Normal({word}, {word} = {word}[{word}])" for word in words)
    stated = "\n".join(f"  {word} = {word} + {word}" for word in words)
    parse(f"data {{\n{declared}\n}}\nmodel {{\n{drawn}\n{stated}\n}}")


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_reserved_words_are_no_names(word: str) -> None:
    with pytest.raises(SyntaxProblems) as caught:
        parse(f"data {{ {word} : real }}")
    (problem,) = caught.value.problems
    assert (problem.kind, problem.message) == (
        "reserved",
        f"`{word}` is a reserved word and cannot be a name",
    )


def test_comments_keep_their_place() -> None:
    spec = parse('# own\nfit { # trailing\n  path = "# none" # last\n}')
    assert [(c.text, c.own_line) for c in spec.comments] == [
        ("# own", True),
        ("# trailing", False),
        ("# last", False),
    ]


def test_strings_resolve_their_escapes() -> None:
    assert bare(value(r'"a\"\\\n\t"')) == ("String", 'a"\\\n\t')


def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    text = Path(parse.__code__.co_filename).with_name("ppl.lark").read_text()
    lark.logger.addHandler(caplog.handler)
    level = lark.logger.level
    lark.logger.setLevel(logging.DEBUG)
    try:
        lark.Lark(text, parser="lalr", postlex=Newlines(), debug=True)
    finally:
        lark.logger.setLevel(level)
        lark.logger.removeHandler(caplog.handler)
    assert not [record for record in caplog.messages if "conflict" in record.lower()]
