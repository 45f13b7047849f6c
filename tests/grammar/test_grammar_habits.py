"""Habits of other languages, and what is said of each."""

from __future__ import annotations

import pytest

from grammar.habits import HABITS
from grammar.parse import parse
from grammar.problems import SyntaxProblems

IN_A_MODEL = [
    (
        "mu[k] ~ ordered Normal(0, 1)",
        "ordered",
        "a type stands before `~`",
        "write `mu[k] : ordered ~ Distribution(…)`",
    ),
    (
        "plate group { h ~ init Normal(0, 1) then Normal(prev(h), 1) }",
        "init",
        "`init … then …` stands directly in a `recur`",
        "write `recur dim { … }` around it, and for several series a plate around that: "
        "`plate group { recur dim { … } }`",
    ),
    (
        "factor a = sum(Normal(mu, 1).log_prob(y))",
        "Normal(mu, 1).log_prob",
        "a density is not called as a function",
        "write a site, `y ~ Normal(…)`, or the density out after `factor name =`",
    ),
    (
        "real<lower=0> sigma;",
        "real<lower=0>",
        "this is a declaration of Stan, its type before its name",
        "in `data` write `name[dim] : real > 0`; a site is only drawn",
    ),
    (
        "n : int<lower = 0>",
        "int<lower = 0>",
        "bounds stand behind the type as they are read",
        "write `int >= 0`, or `int > 0`",
    ),
    (
        "vector<lower=0, upper=1>[N] p",
        "vector<lower=0, upper=1>",
        "this is a declaration of Stan, its type before its name",
        "in `data` write `name[dim] : real in 0 .. 1`; a site is only drawn",
    ),
    (
        "real<upper=1> p",
        "real<upper=1>",
        "this is a declaration of Stan, its type before its name",
        "in `data` write `name[dim] : real < 1`; a site is only drawn",
    ),
    (
        "vector[N] x",
        "vector[N] x",
        "this is a declaration of Stan, its type before its name",
        "in `data` write `x[dim] : real`; a site is only drawn",
    ),
    (
        "int N",
        "int N",
        "this is a declaration of Stan, its type before its name",
        "a size comes from the data: `dim N`; for another integer, write `N : int`",
    ),
    (
        "int<lower=0> N;",
        "int<lower=0>",
        "this is a declaration of Stan, its type before its name",
        "a size comes from the data: `dim name`; for other integers `name[dim] : int >= 0`",
    ),
    (
        "target += normal_lpdf(y | 0, 1)",
        "target +=",
        "a term of the log density is a `factor` with a name",
        "write `factor name = expression`",
    ),
    (
        "y ~ cauchy(0,5) T[0,]",
        "T[",
        "this is the truncation of Stan or BUGS",
        "write `truncated(lower = a, upper = b)`, with the bounds that there are",
    ),
    (
        "y ~ dnorm(0,1)T(0,)",
        "T(",
        "this is the truncation of Stan or BUGS",
        "write `truncated(lower = a, upper = b)`, with the bounds that there are",
    ),
    ("x <- 3", "<-", "a definition is written with `=`", "write `name = expression`"),
    (
        "for (i in 1:N) { y[i] ~ Normal(0,1) }",
        "for",
        "there are no loops: a plate repeats what is in it",
        "write `plate dim { … }`, and leave the index out",
    ),
    (
        "while x { }",
        "while",
        "there are no loops: a plate repeats what is in it",
        "write `plate dim { … }`, or `recur dim { … }` for a sequence",
    ),
    (
        "if (x > 0) { x = 3 }",
        "if",
        "`if` is no statement",
        "write `name = if condition then a else b`",
    ),
    (
        "x = a if b else c",
        "if b else",
        "this is Python's form of a condition",
        "write `if condition then a else b`",
    ),
    (
        "x = a ? b : c",
        "?",
        "`?` is not a sign of the language",
        "write `if condition then a else b`",
    ),
    (
        "import numpy",
        "import",
        "a spec imports nothing",
        'write `extern def f(x[dim]) : real[dim] from "module:function"`',
    ),
    (
        "f = lambda x: x",
        "lambda",
        "there are no functions without a name",
        "write `def f(x) = expression` beside the blocks, and pass `f`",
    ),
    ("with plate(3): { }", "with", "`with` is no statement", "write `plate dim { … }`"),
    (
        "x = np.exp(3)",
        "np.exp",
        "names stand alone, without the module they come from",
        "write `y ~ Normal(…)` to draw, `sqrt(x)` to compute",
    ),
    ("theta := 3", ":=", "a definition is written with `=`", "write `name = expression`"),
    (
        "x += 1",
        "+=",
        "a name is defined once and never changed",
        "give the new value a name of its own",
    ),
    (
        "x == 3",
        "==",
        "`==` compares; a definition is written with `=`",
        "write `name = expression`",
    ),
    (
        "x = a .* b",
        ".*",
        "operators are elementwise already",
        "write `*` or `/`; a matrix product is `@`",
    ),
    ("x = a %*% b", "%*%", "this is the matrix product of R", "write `@`"),
    ("x = a^2", "^", "`^` is not power", "write `**`"),
    ("x = a && b", "&&", "`&&` is not a sign of the language", "write `and`"),
    ("x = a || b", "||", "`||` is not a sign of the language", "write `or`"),
    ("x = !a", "!", "`!` is not a sign of the language", "write `not`"),
    ("x = 'abc'", "'abc'", "a string stands in double quotes", 'write `"text"`'),
    (
        "x = a'",
        "'",
        "`'` is not a sign of the language",
        "a string stands in double quotes; what Stan transposes is told by its dims here",
    ),
    ("x = 2y", "2y", "a number stands directly before a name", "write `2 * y`"),
    (
        "y ~ Normal(0,1) // likelihood",
        "//",
        "`//` is integer division, and begins no comment",
        "begin a comment with `#`",
    ),
    (
        "theta ~ Normal(0,1) truncated(0)",
        "truncated(",
        "the bounds are given by name",
        "write `truncated(lower = a, upper = b)`, with the bounds that there are",
    ),
    ("factor -0.5", "factor", "a factor has a name", "write `factor name = expression`"),
    (
        "y ~ 3",
        "3",
        "after `~` stands a distribution",
        "write `name ~ Distribution(…)`, or `name = expression` for what is not drawn",
    ),
    (
        "plate obs\n y ~ Normal(0,1)",
        "plate obs",
        "`{` is missing after `plate obs`",
        "write `plate obs { … }`",
    ),
]
ALONE = [
    (
        "parameters { real mu; }",
        "parameters",
        "there is no `parameters` block: a site is declared where it is drawn",
        "leave the block out, and write `name ~ Distribution(…)` in `model`",
    ),
    (
        "transformed parameters { x = 1 }",
        "transformed parameters",
        "there is no `transformed parameters` block",
        "write `name = expression` in `model`, or `record name = expression` to keep it",
    ),
    (
        "transformed data { x = 1 }",
        "transformed data",
        "there is no `transformed data` block",
        "write `derive { name = expression }`",
    ),
    (
        "generated quantities { x = 1 }",
        "generated quantities",
        "there is no `generated quantities` block",
        "write `record name = expression` in `model`, or draw it in `predict { … }`",
    ),
    (
        "functions { }",
        "functions",
        "there is no `functions` block",
        "write `def f(a, b) = expression` beside the blocks",
    ),
    (
        "data { y[obs] real }",
        "y[obs] real",
        "`:` is missing between the name and its type",
        "write `y[obs] : real`",
    ),
    (
        "data { y : real in (0, 1) }",
        "in (0,",
        "an interval is written without brackets",
        "write `in 0 .. 1`",
    ),
    ("model m", "model m", "`{` is missing after `model m`", "write `model m { … }`"),
    (
        "// a comment\nmodel { }",
        "// a comment",
        "`//` opens no comment here",
        "begin a comment with `#`, on each of its lines",
    ),
    (
        "/* a\n comment */ model { }",
        "/* a\n comment */",
        "`/*` opens no comment here",
        "begin a comment with `#`, on each of its lines",
    ),
]
CASES = [(f"model {{\n  {text}\n}}\n", *told) for text, *told in IN_A_MODEL] + ALONE


@pytest.mark.parametrize(("text", "found", "message", "remedy"), CASES)
def test_a_habit_is_told(text: str, found: str, message: str, remedy: str) -> None:
    with pytest.raises(SyntaxProblems) as caught:
        parse(text)
    (problem,) = caught.value.problems
    span = problem.span
    assert problem.kind == "foreign"
    assert (text[span.start : span.end], problem.message, problem.remedy) == (
        found,
        message,
        remedy,
    )


def test_a_function_of_python_is_told_once_with_what_follows_it() -> None:
    with pytest.raises(SyntaxProblems) as caught:
        parse("def f(x):\n  return x")
    first, second = caught.value.problems
    assert first.message == "a function's body does not follow `:`"
    assert second.message == "`return` stands where a block was expected"


def test_a_habit_elsewhere_in_the_statement_is_not_blamed() -> None:
    with pytest.raises(SyntaxProblems) as caught:
        parse("model { x = f(a // b, 3 4) }")
    assert caught.value.problems[0].kind == "unexpected"


def test_every_habit_has_a_group_to_point_at() -> None:
    assert all("(?P<found>" in habit.pattern for habit in HABITS)
