"""The pages of guides: one for each family, all of one shape, with code that runs."""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

import pyro
import pytest

import autoguide_core

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
PAGES = sorted(GUIDES.glob("*.md"))
BASES = {"AutoGuide", "AutoContinuous", "AutoMessenger"}
FAMILIES = sorted({name for name in autoguide_core.__all__ if name.startswith("Auto")} - BASES)
WITHOUT_PICTURE = {"AutoCallable", "AutoGuideList"}  # they are what their parts are
HEADINGS = [
    "What it assumes",
    "When to use it",
    "Parameters",
    "Cost",
    "Example",
    "What it can fit",
    "Paper",
    "Differences from Pyro",
]

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
_FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_STEPS = re.compile(r"range\((\d{3,})\)")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _fresh_store():
    pyro.clear_param_store()
    yield
    pyro.clear_param_store()


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_has_a_page_of_the_common_shape(family):
    text = text_of(GUIDES / f"{family}.md")
    assert text.startswith(f"# {family}\n")
    found = re.findall(r"^## (.+)$", text, re.M)
    assert [heading for heading in found if heading in HEADINGS] == HEADINGS


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - WITHOUT_PICTURE))
def test_each_family_has_a_picture(family):
    name = f"images/{family}.png"
    assert f"({name})" in text_of(GUIDES / f"{family}.md")
    picture = (GUIDES / name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= 60_000
    width, height = struct.unpack(">II", picture[16:24])
    assert width <= 700  # read on a phone
    assert height <= 700


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page):
    blocks = _BLOCK.findall(text_of(page))
    if page.stem in FAMILIES:
        assert blocks
    names = {"__name__": page.stem}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in blocks:
            # Fewer steps: whether the code runs, not where it arrives.
            code = _STEPS.sub("range(20)", block)
            exec(compile(code, str(page), "exec"), names)


def anchors_of(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text_of(file)), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize(
    "page", [*PAGES, GUIDES.parent / "differences-from-pyro.md"], ids=lambda page: page.stem
)
def test_links_lead_somewhere(page):
    text = _FENCED.sub("", text_of(page))
    for target in _LINK.findall(text):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors_of(file), target
    used = set(re.findall(r"\[[^\]]+\](?![(\[:])", text)) & {f"[{name}]" for name in FAMILIES}
    defined = set(re.findall(r"^(\[\w+\]):", text, re.M))
    assert used <= defined


def test_the_overview_has_every_page():
    overview = text_of(GUIDES / "README.md")
    for page in PAGES:
        assert page.name == "README.md" or f"({page.name})" in overview, page.name
