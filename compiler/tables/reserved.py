"""Names that mean something to Python or to the emitted module, and what becomes of them."""

from __future__ import annotations

import builtins
import keyword

from compiler.tables.distributions import DISTRIBUTIONS

EMITTED = frozenset(
    {
        "Bounded",
        "Censored",
        "Gaps",
        "Mixture",
        "Ordered",
        "PositiveOrdered",
        "Truncated",
        "TruncatedCounts",
        "Vindex",
        "concatenate",
        "constraints",
        "covariances",
        "create_plates",
        "curves",
        "derive",
        "dist",
        "fill_gaps",
        "guide",
        "is_gap",
        "math",
        "model",
        "odes",
        "partial",
        "poutine",
        "predict",
        "pyro",
        "self",
        "sequences",
        "special",
        "to_plate",
        "torch",
        *(row.name for row in DISTRIBUTIONS.values() if row.ours),
    }
)
"""Names that the emitted module itself defines or imports."""

MODULE_PREFIXES = ("Auto", "init_to_", "guide_")
"""Beginnings of names that the emitted module imports or defines."""


def is_taken(name: str) -> bool:
    """Tell whether `name` already means something in the emitted module."""
    return (
        keyword.iskeyword(name)
        or hasattr(builtins, name)
        or name in EMITTED
        or name.startswith(MODULE_PREFIXES)
    )


def python_name(name: str) -> str:
    """Return what the emitted module calls a name of the spec: `lambda_` for `lambda`.

    Sites and plates keep the spec's name, and so do data and results; only variables change.
    """
    return f"{name}_" if is_taken(name) else name


def why_reserved(name: str) -> str | None:
    """Return why `name` cannot be used in a spec, or None if it can."""
    if name.startswith("_"):
        return "a name with an underscore in front, which Pyro keeps for itself"
    if "__" in name:
        return "a name with two underscores in a row, which Pyro keeps for itself"
    return None
