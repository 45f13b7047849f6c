"""The colours of figures: matplotlib draws with stand-ins, the page's style sheet has the last say.

A colour scheme cannot reach into colours that matplotlib writes out. So each role has a colour
that nothing else uses, which becomes a CSS variable in the finished SVG.
"""

from __future__ import annotations

from enum import StrEnum


class Colour(StrEnum):
    """A role in figures, by its stand-in colour."""

    INK = "#0f0f01"
    FAINT = "#0f0f02"
    ACCENT = "#0f0f03"
    PAGE = "#0f0f04"

    @property
    def variable(self) -> str:
        """The CSS expression that takes its place."""
        return f"var(--{self.name.lower()})"
