"""Small pieces of Python source: precedence, literals, templates."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache

ATOM, POWER, UNARY, TERM, SUM, AND, OR, COMPARE, LOOSEST = range(9, 0, -1)
"""How tightly an expression's outermost operator binds, tightest first."""

_BINARY: dict[type[ast.operator], int] = {
    ast.Pow: POWER,
    ast.Mult: TERM,
    ast.Div: TERM,
    ast.FloorDiv: TERM,
    ast.Mod: TERM,
    ast.MatMult: TERM,
    ast.Add: SUM,
    ast.Sub: SUM,
    ast.BitAnd: AND,
    ast.BitOr: OR,
}


@cache
def level(text: str) -> int:
    """Return how tightly the outermost operator of an expression binds."""
    node = ast.parse(text, mode="eval").body
    match node:
        case ast.BinOp(op=operator):
            return _BINARY[type(operator)]
        case ast.UnaryOp(op=ast.Not()):
            return COMPARE
        case ast.UnaryOp():
            return UNARY
        case ast.Compare():
            return COMPARE
        case ast.BoolOp() | ast.IfExp() | ast.Lambda():
            return LOOSEST
        case _:
            return ATOM


def at_least(text: str, wanted: int) -> str:
    """Return the expression, in parentheses if it binds less tightly than wanted."""
    return text if level(text) >= wanted else f"({text})"


def atom(text: str) -> str:
    """Return the expression ready for `.method()` or `[index]` behind it."""
    return f"({text})" if level(text) < ATOM or text[0].isdigit() else text


def method(text: str, call: str) -> str:
    """Return `text.call`."""
    return f"{atom(text)}.{call}"


def binary(operator: str, left: str, right: str) -> str:
    """Return an infix operation, with the parentheses that keep its meaning."""
    if operator == "**":
        return f"{at_least(left, ATOM)} ** {at_least(right, UNARY)}"
    own = level(f"a {operator} b")
    if operator == "@":  # binds like `*`, but is read as tighter
        return f"{at_least(left, POWER)} @ {at_least(right, POWER)}"
    return f"{at_least(left, own + (own == COMPARE))} {operator} {at_least(right, own + 1)}"


def parsed(source: str) -> ast.Module:
    """Return the tree of an emitted source.

    Raises:
        RuntimeError: If it is not Python (a mistake in the emitter).
    """
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise RuntimeError(f"the emitted source does not parse: {error}") from error


def names_used(source: str) -> set[str]:
    """Return the names of variables that stand in a source, comments and strings apart."""
    return {node.id for node in ast.walk(parsed(source)) if isinstance(node, ast.Name)}


_PLACE = re.compile(r"\{(\d+)\}")


def fill_template(template: str, arguments: list[str]) -> str:
    """Put arguments into a template, in parentheses where the place needs them."""

    def put(match: re.Match[str]) -> str:
        before, after = template[: match.start()], template[match.end() :]
        enclosed = (before.endswith(("(", ", ", "[")) and (not after or after[0] in "),]")) or (
            before == "" and after == ""
        )
        text = arguments[int(match[1])]
        return text if enclosed else atom(text)

    return _PLACE.sub(put, template)


def floating(value: bool | int | float) -> str:
    """Return a number as a Python float literal."""
    return repr(float(value))


def call(function: str, *positional: str, **named: str) -> str:
    """Return a call, its arguments in the order given; the formatter breaks its lines."""
    return f"{function}({', '.join([*positional, *(f'{n}={v}' for n, v in named.items())])})"


def list_of(items: Iterable[str]) -> str:
    """Return a list of source texts."""
    return f"[{', '.join(items)}]"


def dict_of(entries: Iterable[tuple[str, str]]) -> str:
    """Return a dict of source texts, its keys strings."""
    return "{" + ", ".join(f'"{key}": {value}' for key, value in entries) + "}"
