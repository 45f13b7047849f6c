"""Bounds how deep expressions nest, so that whoever walks the tree may do so by recursion."""

from __future__ import annotations

import sys

from lark import Token, Tree

from grammar.build import span_of
from grammar.problems import SyntaxProblem

MAX_OPERATIONS = 200
"""How many operations, calls and brackets may contain one another."""

_FRAMES = 20_000
"""Calls of Python within one another that suffice to walk what nests so deep, in any pass."""

_NESTING = frozenset(
    ["unary", "binary", "conditional", "call", "index", "list_literal", "group", "plate", "recur"]
)


def make_room() -> None:
    """Let Python's functions call one another as deep as walks of the deepest tree need.

    It stays so: a program is walked as long as there is one, by who knows whom.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _FRAMES))


def too_deep(tree: Tree[Token]) -> list[SyntaxProblem]:
    """Return the problem of what nests deeper than allowed, or nothing."""
    pending = [(tree, 0)]
    while pending:
        part, depth = pending.pop()
        depth += part.data in _NESTING
        if depth > MAX_OPERATIONS:
            problem = SyntaxProblem(
                "too-deep",
                f"the expression nests more than {MAX_OPERATIONS} operations",
                "give its parts names of their own",
                span_of(part.meta),
            )
            return [problem]
        pending.extend((child, depth) for child in part.children if isinstance(child, Tree))
    return []
