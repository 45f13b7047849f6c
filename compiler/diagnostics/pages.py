"""The page of each diagnostic: what it means, why it is refused, a bad and a good example."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compiler.diagnostics.codes import CODES

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTIONS = ("Why", "Example", "Instead")


@dataclass(frozen=True, slots=True)
class Page:
    """A page, taken apart; every section is Markdown.

    Attributes:
        code: The diagnostic's code, `PPL010` for one.
        meaning: What it means, one paragraph.
        why: Why it is an error or a warning.
        example: A spec, or data for one, that brings it about.
        instead: What to write in its place.
    """

    code: str
    meaning: str
    why: str
    example: str
    instead: str

    @property
    def markdown(self) -> str:
        """The whole page, with a heading from the registry."""
        row = CODES[self.code]
        sections = zip(_SECTIONS, (self.why, self.example, self.instead), strict=True)
        return "\n\n".join(
            [
                f"# {self.code} {row.slug}: {row.title}",
                f"*{row.severity.capitalize()}.* {self.meaning}",
                *(f"## {heading}\n\n{text}" for heading, text in sections),
            ]
        )

    @property
    def example_spec(self) -> str | None:
        """The spec of the example; None where no spec alone brings the diagnostic about."""
        return block(self.example, "ppl")

    @property
    def instead_spec(self) -> str | None:
        """The spec that is right; None where the spec is not what has to change."""
        return block(self.instead, "ppl")


def block(markdown: str, language: str) -> str | None:
    """Return the first fenced block of a language in `markdown`, or None."""
    return next((text for name, text in _FENCE.findall(markdown) if name == language), None)


@cache
def page(code: str) -> Page:
    """Return the page of a code.

    Raises:
        KeyError: There is no such code.
        ValueError: The page lacks a section (a mistake in the compiler).
    """
    if code not in CODES:
        raise KeyError(code)
    text = (Path(__file__).with_name("pages") / f"{code}.md").read_text(encoding="utf-8")
    meaning, *rest = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    sections = dict(zip(rest[::2], (part.strip() for part in rest[1::2]), strict=True))
    if tuple(sections) != _SECTIONS:
        raise ValueError(f"page {code}: sections {tuple(sections)}, expected {_SECTIONS}")
    return Page(code, meaning.strip(), sections["Why"], sections["Example"], sections["Instead"])


def find(word: str) -> str | None:
    """Return the code that `word` names, by code (any case, `31` for `PPL031`) or by slug."""
    number = re.fullmatch(r"(?:ppl)?0*(\d{1,3})", word, re.IGNORECASE)
    if number:
        code = f"PPL{int(number[1]):03d}"
        return code if code in CODES else None
    return next((row.name for row in CODES.values() if row.slug == word.lower()), None)
