"""The specs that fuzzing starts from: those of the tests, the documentation and the examples."""

from __future__ import annotations

import re
from functools import cache

from fuzz.findings import ROOT

_BLOCK = re.compile(r"^```ppl\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PAGES = ("tests/golden/good", "tests/golden/bad", "compiler/diagnostics/pages", "docs")


@cache
def seeds() -> tuple[str, ...]:
    """Return every spec of the project."""
    pages = [page for folder in _PAGES for page in sorted((ROOT / folder).rglob("*.md"))]
    found = [spec for page in pages for spec in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    found += [file.read_text(encoding="utf-8") for file in sorted(ROOT.glob("examples/*/*.ppl"))]
    return tuple(found)


@cache
def golden() -> tuple[str, ...]:
    """Return the right specs of the golden cases."""
    pages = sorted((ROOT / "tests/golden/good").glob("*.md"))
    return tuple(_BLOCK.findall(page.read_text(encoding="utf-8"))[0] for page in pages)


@cache
def words() -> tuple[str, ...]:
    """Return every word of those specs."""
    return tuple(sorted({word for spec in seeds() for word in re.findall(r"[A-Za-z_]\w*", spec)}))
