"""Takes the names away that emitted code gives to what nothing reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from compiler.emit.python import parsed


def without_unread_names(source: str) -> str:
    """Return the source without the names that their function never reads.

    `x = f(…)` becomes `f(…)`, and `with f(…) as x:` becomes `with f(…):`. Which names are read
    shows only once everything is emitted: a linear recurrence, for one, reads itself in the spec
    and not in the code that solves it.
    """
    lines = source.splitlines()
    for function in parsed(source).body:
        for number, begin, end in _unread(function):
            line = lines[number - 1].encode()
            lines[number - 1] = (line[:begin] + line[end:]).decode()
    return "\n".join(lines)


def _unread(function: ast.stmt) -> Iterator[tuple[int, int, int]]:
    """Yield the line and the columns of what names something for nothing."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call()) if name not in read:
                yield node.lineno, node.col_offset, node.value.col_offset
            case ast.withitem(optional_vars=ast.Name(id=name) as variable) if name not in read:
                yield (
                    variable.lineno,
                    node.context_expr.end_col_offset or 0,
                    (variable.end_col_offset or 0),
                )
