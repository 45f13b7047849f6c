"""Colours for the terminal, and text made safe to print there."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from typing import IO

Paint = Callable[[str, str], str]
"""Takes text and a style's name, gives the text back with the style's escape codes or without."""

_STYLES = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "note": "\x1b[1;34m",
    "help": "\x1b[1;32m",
    "strong": "\x1b[1m",
    "faint": "\x1b[2m",
    "added": "\x1b[32m",
    "removed": "\x1b[31m",
    "changed": "\x1b[33m",
}
_RESET = "\x1b[0m"


def plain(text: str, style: str) -> str:
    """Return `text` as it is."""
    del style
    return text


def colourful(text: str, style: str) -> str:
    """Return `text` in the colours of a style."""
    return f"{_STYLES[style]}{text}{_RESET}" if text else text


def paint_for(stream: IO[str]) -> Paint:
    """Return `colourful` for a terminal, `plain` for a file or where NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return plain
    if os.environ.get("FORCE_COLOR") or stream.isatty():
        return colourful
    return plain


def printable(text: str) -> str:
    """Return `text` with control and invisible characters replaced, one for one."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


_UNPRINTABLE = frozenset(["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])


def cells(text: str) -> int:
    """Return the number of terminal columns that printable `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_cell(c) for c in text)


def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
