"""Syntax errors: what is said, what to write instead, and where."""

from __future__ import annotations

import time

import pytest

from grammar.format import format_spec
from grammar.parse import parse
from grammar.problems import SyntaxProblem, SyntaxProblems
from grammar.source import MAX_CHARACTERS, decode


def problems(text: str) -> tuple[SyntaxProblem, ...]:
    """Return the syntax errors of a text that has some."""
    with pytest.raises(SyntaxProblems) as caught:
        parse(text, "bad.ppl")
    return caught.value.problems


CASES = [
    (
        "model { y ~ Normal(0 1) }",
        "unexpected",
        "1",
        "`1` stands where an operator, `,` or `)` was expected",
        "put `,` between arguments",
    ),
    (
        "model { x = [1 2] }",
        "unexpected",
        "2",
        "`2` stands where an operator, `,` or `]` was expected",
        "put `,` between items",
    ),
    (
        "model { x = (1 2) }",
        "unexpected",
        "2",
        "`2` stands where an operator or `)` was expected",
        "put an operator between two values",
    ),
    (
        "model { x = 1 2 }",
        "unexpected",
        "2",
        "`2` stands where an operator or the end of the statement was expected",
        "put an operator between two values, and each statement on a line of its own",
    ),
    (
        "model { x = a < b < c }",
        "unexpected",
        "<",
        "comparisons do not chain",
        "write `a < b and b < c`",
    ),
    (
        "model { beta[k + 1] ~ Normal(0, 1) }",
        "unexpected",
        "+",
        "`+` stands where `,` or `]` was expected",
        "in the brackets after a name write dims or whole numbers: `beta[pred]`, `theta[4]`",
    ),
    (
        "model { y ~ Normal }",
        "unfinished",
        "Normal",
        "the block ends where `(` was expected",
        "write the arguments, if any, in brackets: `name(…)`",
    ),
    (
        "model { record b }",
        "unfinished",
        "b",
        "the block ends where `=` was expected",
        "write `name = value`",
    ),
    (
        "model { y }",
        "unfinished",
        "y",
        "the block ends where `~` or `=` was expected",
        "write `name ~ Distribution(…)`, or `name = expression`",
    ),
    (
        "model { x = }",
        "unfinished",
        "=",
        "the block ends where an expression was expected",
        "write a value, a name, a call or a list",
    ),
    (
        "model {\n  x =\n  y ~ Normal(0, 1)\n}",
        "unfinished",
        "=",
        "the line ends with `=`, so that its statement goes on to the next one",
        "finish the statement, or remove `=`",
    ),
    (
        "model { recur t { s = init 1 } }",
        "unfinished",
        "1",
        "the block ends where `then` was expected",
        "write `then`",
    ),
    (
        "model { x = f(a = 1, 2) }",
        "unexpected",
        "2",
        "an argument without a name stands after `a = …`",
        "put the arguments without a name first, or give this one its name",
    ),
    (
        "model { plate obs, { } }",
        "unexpected",
        "{",
        "`{` stands where a name was expected",
        "write a name",
    ),
    (
        "model { y ~ Normal(0, 1) 3 }",
        "unexpected",
        "3",
        "`3` stands where the end of the statement was expected",
        "after a distribution only `truncated(…)`, `censored(…)`, `reparam`, `marginalize` and "
        "`over` may follow",
    ),
    (
        "model { x : real = 3 }",
        "unexpected",
        "=",
        "`=` stands where `~` was expected",
        "write `name : type ~ Distribution(…)`",
    ),
    (
        "guide { part x = AutoNormal() }",
        "unexpected",
        ")",
        "`)` stands where a site was expected",
        "name the sites, or write `*` for all that no other part names",
    ),
    (
        "guide { foo }",
        "unexpected",
        "foo",
        "`foo` stands where a part of the guide was expected",
        "write `part name = Family(site, …)`, or `default init strategy`",
    ),
    (
        "guide { default median }",
        "unexpected",
        "median",
        "`median` stands where `init` was expected",
        "write `default init strategy`",
    ),
    (
        "guide { part a = AutoNormal(*) { 3 } }",
        "unexpected",
        "3",
        "`3` stands where an option was expected",
        "write `name = value`, or `init strategy`",
    ),
    (
        "fit { steps 3 }",
        "unexpected",
        "3",
        "`3` stands where `=` was expected",
        "write `name = value`",
    ),
    (
        "data { 3 }",
        "unexpected",
        "3",
        "`3` stands where a declaration was expected",
        "write `dim name`, or `name[dim] : type`",
    ),
    (
        "data { dim a, b = 3 }",
        "unexpected",
        "dim a, b = 3",
        "several dims share one size",
        "declare each with its size: `dim k = 3`",
    ),
    (
        "data { y : real > 0 > 1 }",
        "unexpected",
        "> 1",
        "the type has a second lower bound",
        "write at most one lower and one upper bound: `real > 0, < 1`",
    ),
    (
        "data { y : real in 0 : 1 }",
        "unexpected",
        ":",
        "`:` stands where `..` was expected",
        "write `in 0 .. 1`",
    ),
    (
        "def f(x) { y = 3 }",
        "unfinished",
        "f",
        "the function `f` does not end with its one `return`",
        "put `return expression` last",
    ),
    (
        "extern def f(x) : real",
        "unfinished",
        "real",
        "the file ends where `from` was expected",
        'tell where the function is found: `from "module:function"`',
    ),
    (
        "x = 1",
        "unexpected",
        "x",
        "`x` stands where a block was expected",
        "write `data`, `derive`, `model`, `predict`, `guide`, `fit`, `def` or `extern def`",
    ),
    (
        "model { } model { }",
        "unexpected",
        "model",
        "`model` stands where a new line was expected",
        "begin each block on a line of its own",
    ),
    ("model { x = (1 }", "unclosed", "(", "`(` is never closed", "close it with `)`"),
    (
        "model { x = [1, 2\n  y ~ Normal(0, 1)\n}",
        "unclosed",
        "[",
        "`[` is never closed",
        "close it with `]`",
    ),
    ("model { x = 1) }", "unclosed", ")", "`)` closes nothing", "remove it, or open it"),
    ("model { x = (1] }", "unclosed", "]", "`]` closes the `(` of line 1", "write `)`"),
    ("model { x = 1\n", "unclosed", "{", "`{` is never closed", "close the block with `}`"),
    ("model { x = 1 }}", "unclosed", "}", "`}` closes nothing", "remove it, or open a block"),
    (
        "model {\n  plate obs {\n    x = 1\n}\nguide auto\n",
        "unclosed",
        "{",
        "`{` is never closed",
        "close the block with `}`",
    ),
    (
        "model {\n  x = 1\nguide { }",
        "unclosed",
        "{",
        "`{` is never closed",
        "close the block with `}`",
    ),
    (
        'model { x = "abc }\n}',
        "unclosed",
        '"abc }',
        "this string is not closed on its line",
        'end it with `"`',
    ),
    (
        'model { x = "a\\qb" }',
        "character",
        '"a\\qb"',
        "`\\q` is no escape of a string",
        'the escapes are \\n, \\t, \\" and \\\\',
    ),
    ("model { x = “a” }", "character", "“", "`“` is not a character of the language", 'write `"`'),
    (
        "model { x = 2 × 3 }",
        "character",
        "×",
        "`×` is not a character of the language",
        "write `*`",
    ),
    (
        "model { x = a – b }",
        "character",
        "–",
        "`–` is not a character of the language",
        "write `-`",
    ),
    (
        "model { σ ~ Normal(0, 1) }",
        "character",
        "σ",
        "`σ` is not a character of the language",
        "spell it: `sigma`",
    ),
    (
        "model { ж ~ Normal(0, 1) }",
        "character",
        "ж",
        "`ж` is not a character of the language",
        "names are made of the letters a to z and A to Z, digits and `_`",
    ),
    (
        "model { x = a\xa0+ b }",
        "character",
        "\xa0",
        "no-break space is not a character of the language",
        "write a plain blank",
    ),
    (
        "model { x = a.b }",
        "character",
        ".",
        "`.` does not belong here",
        "a `.` stands in numbers and, as `..`, in intervals",
    ),
    (
        "model { x = 1e999 }",
        "number",
        "1e999",
        "this number is larger than any that can be computed with",
        "write a number below 1e308",
    ),
    (
        "model { x = $a }",
        "character",
        "$",
        "`$` is not a character of the language",
        "names are made of the letters a to z and A to Z, digits and `_`",
    ),
]


@pytest.mark.parametrize(("text", "kind", "found", "message", "remedy"), CASES)
def test_one_error(text: str, kind: str, found: str, message: str, remedy: str) -> None:
    (problem,) = problems(text)
    told = (problem.kind, text[problem.span.start : problem.span.end])
    assert told == (kind, found)
    assert (problem.message, problem.remedy) == (message, remedy)


def test_the_errors_of_many_statements_are_told_in_order() -> None:
    text = """data {
  y[obs] real
  dim N =
}
model {
  plate obs {
    x = = 1
    y ~ Normal(0, 1
  }
  z ~ 3
  then = 4
}
gude { part a = AutoNormal(*) }
fit { steps 3; rate = 0.1 }
"""
    told = [(problem.kind, problem.span.line) for problem in problems(text)]
    assert told == [
        ("foreign", 2),
        ("unfinished", 3),
        ("unexpected", 7),
        ("unclosed", 8),
        ("foreign", 10),
        ("reserved", 11),
        ("unexpected", 13),
        ("unexpected", 14),
    ]


def test_the_exception_says_the_first_and_counts_the_others() -> None:
    with pytest.raises(SyntaxProblems, match=r"^bad.ppl:1:7: `3` stands .* \(and 1 more\)$"):
        parse("fit { 3; 4 }", "bad.ppl")


def test_a_missing_brace_is_told_where_the_indentation_shows_it() -> None:
    (problem,) = problems("model {\n  plate obs {\n    x = 1\n\n  y = 2\n}\n")
    assert problem.message == "`{` is never closed"
    (problem,) = problems("model {\n  plate obs {\n    x = 1\n}\nfit { steps = 1 }\n")
    assert (problem.span.line, problem.span.column) == (2, 13)


def test_indentation_means_nothing_where_braces_match() -> None:
    parse("model {\n  plate obs {\nx = 1\n}\n    }")


def test_more_than_twenty_errors_are_cut_off() -> None:
    assert len(problems("model {\n" + "x = = 1\n" * 50 + "}")) == 20
    assert len(problems("/* a */\n" * 50)) == 20


@pytest.mark.parametrize("character", ["\0", "\x08", "\x1b", "\x0b"])
def test_what_is_not_text_is_refused(character: str) -> None:
    (problem,) = problems(f"model {{\n  x = {character}1 }}")
    assert (problem.kind, problem.span.line, problem.span.column) == ("encoding", 2, 7)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(SyntaxProblems) as caught:
        decode(b"model {\n  x = \xff }")
    (problem,) = caught.value.problems
    assert problem.message == "byte 14 (0xff) is not UTF-8 text"
    assert (problem.kind, problem.span.line, problem.span.column) == ("encoding", 2, 7)
    assert decode("\ufeffé".encode()) == "\ufeffé"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x" * (10 * MAX_CHARACTERS), "too-large"),
        ("model { x = " + "(" * 101 + "1" + ")" * 101 + " }", "too-deep"),
        ("model { x = " + "[" * 200_000, "too-deep"),
        ("model { x = " + "1 + " * 300 + "1 }", "too-deep"),
        ("model { x = " + "-" * 2_000 + "1 }", "too-deep"),
        ("model { x = " + "2 ** " * 2_000 + "1 }", "too-deep"),
        ("model { x = a" + "[0]" * 2_000 + " }", "too-deep"),
        ("model { x = " + "9" * 5_000 + " }", "number"),
        ("model {" + "x = \n" * 20_000 + "}", "unfinished"),
    ],
    ids=["10 MB", "brackets", "open", "sum", "minus", "power", "index", "digits", "unfinished"],
)
def test_monsters_are_refused_soon(text: str, kind: str) -> None:
    start = time.process_time()
    assert problems(text)[0].kind == kind
    assert time.process_time() - start < 2


def test_what_is_within_the_limits_parses() -> None:
    parse("model { x = " + "(" * 90 + "1" + ")" * 90 + " }")
    parse("model { x = " + "1 + " * 190 + "1 }")


def test_comments_may_hold_anything() -> None:
    text = "model { # “σ” \u00a0 ( { [ 'x' // /*\n}"
    assert len(parse(text).comments) == 1
    assert format_spec(text).count("σ") == 1
