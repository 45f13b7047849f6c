"""Room for text in figures: its width is the browser's affair, so that it is only estimated."""

from __future__ import annotations

import unicodedata

_WIDTH_OF_CHARACTER = 5.6  # a sans serif font of 9 to 10 pixels
_MOST_CHARACTERS = 22


def width_in_characters(text: str) -> int:
    """Return how many columns a text takes; East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def text_width(text: str, per_character: float = _WIDTH_OF_CHARACTER) -> float:
    """Return about how many pixels wide a text is."""
    return per_character * width_in_characters(text)


def shortened(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Return a text of at most so many characters, cut in its middle: the ends of labels differ.

    Control characters, which SVG cannot hold, become blanks.
    """
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
    if width_in_characters(text) <= most:
        return text
    front = most // 2
    return f"{text[:front]}…{text[len(text) - (most - front - 1) :]}"
