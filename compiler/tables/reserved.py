"""Names that a spec cannot use: they would hide something in the emitted module."""

from __future__ import annotations

import builtins
import keyword

EMITTED = frozenset(
    {
        "Vindex",
        "concatenate",
        "constraints",
        "create_plates",
        "derive",
        "dist",
        "guide",
        "math",
        "model",
        "partial",
        "poutine",
        "predict",
        "pyro",
        "self",
        "to_plate",
        "torch",
    }
)
"""Names that the emitted module itself defines or imports."""

MODULE_PREFIXES = ("Auto", "init_to_", "guide_")
"""Beginnings of names that the emitted module imports or defines."""


def why_reserved(name: str) -> str | None:
    """Return why `name` cannot be used in a spec, or None if it can."""
    if keyword.iskeyword(name):
        return "a keyword of Python"
    if hasattr(builtins, name):
        return "a builtin of Python"
    if name in EMITTED or name.startswith(MODULE_PREFIXES):
        return "a name that the emitted module uses"
    if name.startswith("_"):
        return "a name with an underscore in front, which Pyro keeps for itself"
    if "__" in name:
        return "a name with two underscores in a row, which Pyro keeps for itself"
    return None
