"""Names the plain sign that a look-alike or foreign character stands for."""

from __future__ import annotations

import unicodedata

_PLAIN = {
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-",
    "×": "*", "·": "*", "∙": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/",
    "≤": "<=", "≥": ">=", "≠": "!=", "←": "=", "∼": "~", "˜": "~", "∈": "in", "…": "..",
    "²": "** 2", "³": "** 3", "√": "sqrt(…)", "∑": "sum(…)", "Σ": "sum(…)", "∞": "a bound left out",
    "¬": "not", "∧": "and", "∨": "or", "′": "a name without `′`",
    "\u00a0": "a plain blank", "\u2009": "a plain blank", "\u200b": "nothing", "\ufeff": "nothing",
    "!": "not", "&": "and", "|": "or", "^": "**", "‘": '"', "’": '"', "'": '"',
}  # fmt: skip
_NOT_SIGNS = frozenset(["a plain blank", "nothing", "a bound left out", "a name without `′`"])


def message(character: str) -> str:
    """Return what is said of a character that the language does not have."""
    if character.isprintable() and not character.isspace():
        shown = f"`{character}`"
    else:
        shown = unicodedata.name(character, f"the character U+{ord(character):04X}").lower()
    return f"{shown} is not a character of the language"


def remedy(character: str) -> str:
    """Return what to write instead of `character`."""
    plain = _PLAIN.get(character) or unicodedata.normalize("NFKC", character)
    if plain in _NOT_SIGNS:
        return f"write {plain}"
    if (plain != character and plain.isascii()) or character in _PLAIN:
        return f"write `{plain}`"
    name = unicodedata.name(character, "")
    if name.startswith("GREEK"):
        return f"spell it: `{name.split()[-1].lower()}`" if " LETTER " in name else _NAMES
    return _NAMES


_NAMES = "names are made of the letters a to z and A to Z, digits and `_`"
