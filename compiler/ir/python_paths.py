"""Checks the "module:attribute" strings by which a spec names a user's Python code."""

from __future__ import annotations

import keyword
import re

from compiler.diagnostics import Diagnostics
from grammar import nodes

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = re.compile(rf"{_IDENTIFIER}(\.{_IDENTIFIER})*:{_IDENTIFIER}")


def is_python_path(path: str) -> bool:
    """Return whether `path` is of the form "module:attribute", dotted identifiers only."""
    return _PATH.fullmatch(path) is not None and not any(
        keyword.iskeyword(word) for word in re.split(r"[.:]", path)
    )


def resolve_path(string: nodes.String, diagnostics: Diagnostics) -> str | None:
    """Return the path that a string holds, or tell what is wrong with it and return None."""
    if is_python_path(string.value):
        return string.value
    diagnostics.report(
        "PPL082",
        string.span,
        f'"{string.value}" does not name a Python function',
        'write "module:function", for example "guides:encoder"',
    )
    return None
