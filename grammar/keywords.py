"""The language's words: those reserved everywhere, and those that stay free as names."""

from __future__ import annotations

RESERVED = frozenset(["if", "then", "else", "and", "or", "not", "true", "false", "in", "return"])
"""Words that can never be a name."""

BLOCKS = frozenset(["data", "derive", "model", "predict", "def", "extern", "guide", "fit"])
"""Words that open a block at the top level; free as names elsewhere."""

STATEMENTS = frozenset(["dim", "record", "factor", "plate", "recur", "default", "part", "init"])
"""Words that open a statement or a clause of a block; free as names where none can open."""

CLAUSES = frozenset([
    "minibatch", "truncated", "censored", "reparam", "marginalize", "over", "missing",
    "callable", "for", "at", "auto", "from",
])  # fmt: skip
"""Words that stand after something else in a statement; free as names."""
