"""Takes the names away that emitted code gives to what nothing reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from compiler.emit.python import parsed


def without_unread_names(source: str) -> str:
    """Return the source with `x = f(…)` written `f(…)` where its function never reads `x`.

    Which names are read shows only once everything is emitted: a linear recurrence, for one, reads
    itself in the spec and not in the code that solves it.
    """
    lines = source.splitlines()
    for function in parsed(source).body:
        for statement in _unread(function):
            line = lines[statement.lineno - 1].encode()
            before, call = line[: statement.col_offset], line[statement.value.col_offset :]
            lines[statement.lineno - 1] = (before + call).decode()
    return "\n".join(lines)


def _unread(function: ast.stmt) -> Iterator[ast.Assign]:
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call()) if name not in read:
                yield node
