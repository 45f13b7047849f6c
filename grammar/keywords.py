"""The language's words: which are reserved everywhere, and which only open a block or a statement."""

from __future__ import annotations

RESERVED = frozenset(["if", "then", "else", "and", "or", "not", "true", "false", "in", "return"])
"""Words that can never be a name."""

BLOCKS = frozenset(["data", "derive", "model", "predict", "def", "extern", "guide", "fit"])
"""Words that open a block at the top level; free as names elsewhere."""

STATEMENTS = frozenset(["dim", "record", "factor", "plate", "recur", "default", "part", "init"])
"""Words that open a statement or a clause of a block; free as names where no such word can stand."""

CLAUSES = frozenset(
    ["minibatch", "truncated", "censored", "reparam", "marginalize", "over", "missing"]
    + ["callable", "for", "at", "auto", "from"]
)
"""Words that stand after something else in a statement; free as names."""
