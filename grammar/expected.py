"""Puts into the author's words what the parser could have gone on with."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from lark import Lark
from lark.lexer import PatternStr


@dataclass(frozen=True, slots=True)
class Expected:
    """What could stand at a place, and how it is written.

    Attributes:
        terminals: The terminals that together tell the place.
        what: What is expected there.
        how: How it is written.
    """

    terminals: frozenset[str]
    what: str
    how: str


def _row(terminals: str, what: str, how: str) -> Expected:
    return Expected(frozenset(terminals.split()), what, how)


_PLACES = (
    _row(
        "DATA MODEL",
        "a block",
        "write `data`, `derive`, `model`, `predict`, `guide`, `fit`, `def` or `extern def`",
    ),
    _row(
        "RECORD PLATE",
        "a statement",
        "write `name ~ Distribution(…)`, `name = expression`, `record name = …`, `factor name = …` "
        "or `plate dim { … }`",
    ),
    _row("DIM NAME", "a declaration", "write `dim name`, or `name[dim] : type`"),
    _row(
        "PART DEFAULT",
        "a part of the guide",
        "write `part name = Family(site, …)`, or `default init strategy`",
    ),
    _row("INIT NAME RBRACE", "an option", "write `name = value`, or `init strategy`"),
    _row("NUMBER STRING", "an expression", "write a value, a name, a call or a list"),
    _row("TILDE EQUAL", "`~` or `=`", "write `name ~ Distribution(…)`, or `name = expression`"),
    _row("TILDE", "`~`", "write `name : type ~ Distribution(…)`"),
    _row("STAR NAME", "a site", "name the sites, or write `*` for all that no other part names"),
    _row(
        "TRUNCATED REPARAM",
        "the end of the statement",
        "after a distribution only `truncated(…)`, `censored(…)`, `reparam`, `marginalize` and "
        "`over` may follow",
    ),
    _row("PLUS SLASH COMMA RPAR", "an operator, `,` or `)`", "put `,` between arguments"),
    _row("PLUS SLASH COMMA RSQB", "an operator, `,` or `]`", "put `,` between items"),
    _row("PLUS SLASH RPAR", "an operator or `)`", "put an operator between two values"),
    _row(
        "PLUS SLASH _NL",
        "an operator or the end of the statement",
        "put an operator between two values, and each statement on a line of its own",
    ),
    _row("FROM", "`from`", 'tell where the function is found: `from "module:function"`'),
    _row("LESSTHAN MORETHAN", "a bound", "write `> 0`, `>= 0`, `< 1` or `in 0 .. 1`"),
    _row(
        "COMMA RSQB",
        "`,` or `]`",
        "in the brackets after a name write dims or whole numbers: `beta[pred]`, `theta[4]`",
    ),
    _row("DOTS", "`..`", "write `in 0 .. 1`"),
    _row("INIT", "`init`", "write `default init strategy`"),
    _row("EQUAL", "`=`", "write `name = value`"),
    _row("LPAR", "`(`", "write the arguments, if any, in brackets: `name(…)`"),
    _row("$END", "a new line", "begin each block on a line of its own"),
    _row("_NL", "the end of the statement", "put each statement on a line of its own"),
)


def expected(accepted: Set[str], parser: Lark) -> tuple[str, str]:
    """Return what could stand at a place, and how it is written.

    Args:
        accepted: The names of the terminals that the parser accepts there.
        parser: The parser, for how its terminals are spelt.
    """
    for place in _PLACES:
        if place.terminals <= accepted:
            return place.what, place.how
    spelt = sorted(_spell(terminal, parser) for terminal in accepted)
    what = " or ".join(filter(None, [", ".join(spelt[:-1]), spelt[-1]]))
    return what, f"write {what}"


_WORDS = {"NAME": "a name", "NUMBER": "a number", "STRING": "a text in double quotes"}
"""What the terminals that are no fixed sign are called."""


def _spell(terminal: str, parser: Lark) -> str:
    if terminal in _WORDS:
        return _WORDS[terminal]
    pattern = parser.get_terminal(terminal).pattern
    assert isinstance(pattern, PatternStr)
    return f"`{pattern.value}`"
