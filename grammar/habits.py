"""The table of foreign habits: forms of Stan, BUGS, R and Python, and what to write instead.

A pattern is searched in the masked text of a statement that does not parse; its group `found` is
what the message points at, and `$name` in a row stands for the pattern's group `name`. Rows are
tried in order. To teach the compiler another habit, add a row here and a line to
tests/grammar/test_grammar_habits.py.
"""

from __future__ import annotations

from dataclasses import dataclass

_STAN_TYPE = (
    r"(?:real|int|complex|vector|row_vector|matrix|simplex|ordered|positive_ordered|unit_vector"
    r"|cholesky_factor_corr|cholesky_factor_cov|corr_matrix|cov_matrix)"
)
_NAME = r"[A-Za-z_]\w*"
_ARRAY = r"(?:array\s*\[[^\]]*\]\s*)?"


@dataclass(frozen=True, slots=True)
class Habit:
    """One form of another language.

    Attributes:
        pattern: What to search in the statement; the match is what the message points at.
        message: What is said of it.
        remedy: What to write instead.
    """

    pattern: str
    message: str
    remedy: str


HABITS = (
    # Stan
    Habit(
        r"^\s*(?P<found>parameters)\s*\{",
        "there is no `parameters` block: a site is declared where it is drawn",
        "leave the block out, and write `name ~ Distribution(…)` in `model`",
    ),
    Habit(
        r"^\s*(?P<found>transformed\s+parameters)\s*\{",
        "there is no `transformed parameters` block",
        "write `name = expression` in `model`, or `record name = expression` to keep it",
    ),
    Habit(
        r"^\s*(?P<found>transformed\s+data)\s*\{",
        "there is no `transformed data` block",
        "write `derive { name = expression }`",
    ),
    Habit(
        r"^\s*(?P<found>generated\s+quantities)\s*\{",
        "there is no `generated quantities` block",
        "write `record name = expression` in `model`, or draw it in `predict { … }`",
    ),
    Habit(
        r"^\s*(?P<found>functions)\s*\{",
        "there is no `functions` block",
        "write `def f(a, b) = expression` beside the blocks",
    ),
    Habit(
        rf"^\s*(?P<found>{_ARRAY}{_STAN_TYPE}\s*<\s*lower\s*=\s*(?P<lower>[^,<>]+?)"
        r"\s*,\s*upper\s*=\s*(?P<upper>[^,<>]+?)\s*>)",
        "this is a declaration of Stan, its type before its name",
        "in `data` write `name[dim] : real in $lower .. $upper`; a site is only drawn",
    ),
    Habit(
        rf"^\s*(?P<found>{_ARRAY}int\s*<\s*lower\s*=\s*(?P<lower>[^,<>]+?)\s*>)",
        "this is a declaration of Stan, its type before its name",
        "a size comes from the data: `dim name`; for other integers `name[dim] : int >= $lower`",
    ),
    Habit(
        rf"^\s*(?P<found>{_ARRAY}{_STAN_TYPE}\s*<\s*lower\s*=\s*(?P<lower>[^,<>]+?)\s*>)",
        "this is a declaration of Stan, its type before its name",
        "in `data` write `name[dim] : real > $lower`; a site is only drawn",
    ),
    Habit(
        rf"^\s*(?P<found>{_ARRAY}{_STAN_TYPE}\s*<\s*upper\s*=\s*(?P<upper>[^,<>]+?)\s*>)",
        "this is a declaration of Stan, its type before its name",
        "in `data` write `name[dim] : real < $upper`; a site is only drawn",
    ),
    Habit(
        rf"^\s*(?P<found>int\s+(?P<name>{_NAME}))\s*$",
        "this is a declaration of Stan, its type before its name",
        "a size comes from the data: `dim $name`; for another integer, write `$name : int`",
    ),
    Habit(
        rf"^\s*(?P<found>{_ARRAY}{_STAN_TYPE}\s*(?:\[[^\]]*\])?\s+(?P<name>{_NAME}))",
        "this is a declaration of Stan, its type before its name",
        "in `data` write `$name[dim] : real`; a site is only drawn",
    ),
    Habit(
        rf"^\s*{_NAME}\s*(?:\[[^\]]*\])?\s*:\s*(?P<found>(?P<type>int|real)\s*<\s*lower\s*=\s*"
        r"(?P<lower>[^,<>]+?)\s*>)",
        "bounds stand behind the type as they are read",
        "write `$type >= $lower`, or `$type > $lower`",
    ),
    Habit(
        r"^\s*(?P<found>target\s*\+=)[^\n]*",
        "a term of the log density is a `factor` with a name",
        "write `factor name = expression`",
    ),
    Habit(
        rf"(?P<found>\b(?P<name>{_NAME})_lp[dm]f)\s*\([^)]*\|",
        "a density is not called as a function",
        "write `y ~ Distribution(…)`",
    ),
    Habit(
        rf"(?P<name>\b{_NAME}\s*(?:\[[^\]]*\])?)\s*~\s*(?P<found>(?P<type>ordered|positive_ordered"
        r"|simplex|real|int))\s+(?=[A-Za-z_])",
        "a type stands before `~`",
        "write `$name : $type ~ Distribution(…)`",
    ),
    # BUGS and JAGS
    Habit(
        r"\)\s*(?P<found>[TIL]\s*[\[(])",
        "this is the truncation of Stan or BUGS",
        "write `truncated(lower = a, upper = b)`, with the bounds that there are",
    ),
    Habit(
        rf"^\s*{_NAME}\s*(?:\[[^\]]*\])?\s*(?P<found><-)",
        "a definition is written with `=`",
        "write `name = expression`",
    ),
    # loops, conditions and other statements of general languages
    Habit(
        r"^\s*(?P<found>(?:for|foreach)\b)",
        "there are no loops: a plate repeats what is in it",
        "write `plate dim { … }`, and leave the index out",
    ),
    Habit(
        r"^\s*(?P<found>while)\b",
        "there are no loops: a plate repeats what is in it",
        "write `plate dim { … }`, or `recur dim { … }` for a sequence",
    ),
    Habit(
        r"^\s*(?P<found>(?:if|else|elif)\b)[^=~]*[{:]?\s*$",
        "`if` is no statement",
        "write `name = if condition then a else b`",
    ),
    Habit(
        r"(?P<found>\bif\b(?:(?!\bthen\b).)*\belse\b)",
        "this is Python's form of a condition",
        "write `if condition then a else b`",
    ),
    Habit(
        r"(?P<found>\?)",
        "`?` is not a sign of the language",
        "write `if condition then a else b`",
    ),
    Habit(
        rf"^\s*(?P<found>import|from\s+{_NAME}(?:\.{_NAME})*\s+import|library|using)\b",
        "a spec imports nothing",
        'write `extern def f(x[dim]) : real[dim] from "module:function"`',
    ),
    Habit(
        r"(?P<found>\blambda\b)",
        "there are no functions without a name",
        "write `def f(x) = expression` beside the blocks, and pass `f`",
    ),
    Habit(
        r"^\s*(?P<found>def\b[^\n]*\)\s*:)",
        "a function's body does not follow `:`",
        "write `def f(a, b) = expression`, or `def f(a) { b = …; return … }`",
    ),
    Habit(
        r"^\s*(?P<found>with\b)",
        "`with` is no statement",
        "write `plate dim { … }`",
    ),
    Habit(
        r"(?P<found>\b(?:pyro|numpyro|dist|pm|pymc|tfd|torch|np|numpy|math|jnp|stats)\.(?P<name>[A-Za-z_.]+))",
        "names stand alone, without the module they come from",
        "write `y ~ Normal(…)` to draw, `sqrt(x)` to compute",
    ),
    Habit(
        r"(?P<found>:=)",
        "a definition is written with `=`",
        "write `name = expression`",
    ),
    Habit(
        r"(?P<found>\+=|-=|\*=|/=)",
        "a name is defined once and never changed",
        "give the new value a name of its own",
    ),
    Habit(
        rf"^\s*{_NAME}\s*(?:\[[^\]]*\])?\s*(?P<found>==)",
        "`==` compares; a definition is written with `=`",
        "write `name = expression`",
    ),
    # operators
    Habit(
        r"(?P<found>\.\*|\./)",
        "operators are elementwise already",
        "write `*` or `/`; a matrix product is `@`",
    ),
    Habit(r"(?P<found>%\*%)", "this is the matrix product of R", "write `@`"),
    Habit(r"(?P<found>\.?\^)", "`^` is not power", "write `**`"),
    Habit(r"(?P<found>&&?)", "`$found` is not a sign of the language", "write `and`"),
    Habit(r"(?P<found>\|\|?)", "`$found` is not a sign of the language", "write `or`"),
    Habit(r"(?P<found>!)(?!=)", "`!` is not a sign of the language", "write `not`"),
    Habit(
        r"(?P<found>'[^'\n]*')",
        "a string stands in double quotes",
        'write `"text"`',
    ),
    Habit(
        r"(?<=[\w)\]])(?P<found>')",
        "`'` is not a sign of the language",
        "a string stands in double quotes; what Stan transposes is told by its dims here",
    ),
    Habit(
        r"(?<![\w.])(?P<found>(?P<number>\d+(?:\.\d+)?)(?P<name>(?!e\d)[A-Za-z_]\w*))",
        "a number stands directly before a name",
        "write `$number * $name`",
    ),
    Habit(
        r"\S[ \t]*(?P<found>//)",
        "`//` is integer division, and begins no comment",
        "begin a comment with `#`",
    ),
    # the language's own forms, with a part missing
    Habit(
        r"(?P<found>\b(?:truncated|censored)\s*\()\s*(?!\w+\s*=)",
        "the bounds are given by name",
        "write `truncated(lower = a, upper = b)`, with the bounds that there are",
    ),
    Habit(
        r"^\s*(?P<found>factor)\s*(?![\w\s=~\[:])",
        "a factor has a name",
        "write `factor name = expression`",
    ),
    Habit(
        r"[~=]\s*(?P<found>init)\s+(?=[\w\[(])",
        "`init … then …` stands directly in a `recur`",
        "write `recur dim { … }` around it, and for several series a plate around that: "
        "`plate group { recur dim { … } }`",
    ),
    Habit(
        rf"(?P<found>(?P<name>\b{_NAME})\s*\([^()]*\)\s*\.\s*log_prob\b)",
        "a density is not called as a function",
        "write a site, `y ~ $name(…)`, or the density out after `factor name =`",
    ),
    Habit(
        r"~\s*(?P<found>[^\sA-Za-z_])",
        "after `~` stands a distribution",
        "write `name ~ Distribution(…)`, or `name = expression` for what is not drawn",
    ),
    Habit(
        r"(?P<found>\bin\s*[\[(][^\])]*,)",
        "an interval is written without brackets",
        "write `in 0 .. 1`",
    ),
    Habit(
        rf"^\s*(?P<found>(?P<name>{_NAME}\s*(?:\[[^\]]*\])?)\s+(?P<type>real|int|bool|index)\b)",
        "`:` is missing between the name and its type",
        "write `$name : $type`",
    ),
    Habit(
        r"^\s*(?P<found>(?:data|derive|model|predict|guide|fit|plate|recur)\b[^{}=~\n]*?)\s*$",
        "`{` is missing after `$found`",
        "write `$found { … }`",
    ),
)
