"""Lays calls, lists and dicts out over lines as `ruff format` would, at 100 characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LINE_LENGTH = 100
_INDENT = 4


@dataclass(frozen=True, slots=True)
class Call:
    """`function(argument, name=argument)`; a name of None stands for a positional argument."""

    function: str
    arguments: tuple[tuple[str | None, Source], ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[item, item]`."""

    items: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class DictOf:
    """`{"key": value}`; the keys are strings."""

    entries: tuple[tuple[str, Source], ...]


Source = str | Call | ListOf | DictOf


def call(function: str, *positional: Source, **named: Source) -> Call:
    """Return a call, its arguments in the order given."""
    unnamed: tuple[tuple[str | None, Source], ...] = tuple((None, value) for value in positional)
    return Call(function, (*unnamed, *named.items()))


def on_one_line(source: Source) -> str:
    """Return the source on one line, however long."""
    match source:
        case str():
            return source
        case Call():
            return f"{source.function}({', '.join(_joined(source))})"
        case ListOf():
            return f"[{', '.join(_joined(source))}]"
        case DictOf():
            return f"{{{', '.join(_joined(source))}}}"


def lay_out(source: Source, *, indent: int = 0, before: str = "", after: str = "") -> list[str]:
    """Return the lines of a statement or of a part of one.

    Args:
        source: What stands on the lines.
        indent: Spaces in front of the first line.
        before: Text in front of the source, `x = ` for one.
        after: Text behind it, a comma for one.
    """
    margin = " " * indent
    line = f"{margin}{before}{on_one_line(source)}{after}"
    if len(line) <= LINE_LENGTH or isinstance(source, str):
        return [line]
    opening, closing = _brackets(source)
    inside = ", ".join(_joined(source))
    deeper = indent + _INDENT
    # The arguments of a call may share the line between the brackets; entries of a list may not.
    if isinstance(source, Call) and deeper + len(inside) <= LINE_LENGTH:
        body = [" " * deeper + inside]
    else:
        items = _items(source)
        comma = "," if len(items) > 1 else ""
        body = [
            line
            for name, item in items
            for line in lay_out(item, indent=deeper, before=name, after=comma)
        ]
    return [f"{margin}{before}{opening}", *body, f"{margin}{closing}{after}"]


def _brackets(source: Call | ListOf | DictOf) -> tuple[str, str]:
    match source:
        case Call():
            return f"{source.function}(", ")"
        case ListOf():
            return "[", "]"
        case DictOf():
            return "{", "}"


def _items(source: Call | ListOf | DictOf) -> Sequence[tuple[str, Source]]:
    """Return what stands between the brackets, each item with the text in front of it."""
    match source:
        case Call():
            return [("" if name is None else f"{name}=", item) for name, item in source.arguments]
        case ListOf():
            return [("", item) for item in source.items]
        case DictOf():
            return [(f'"{key}": ', item) for key, item in source.entries]


def _joined(source: Call | ListOf | DictOf) -> list[str]:
    return [before + on_one_line(item) for before, item in _items(source)]
