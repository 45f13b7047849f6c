"""Every diagnostic has a page, and what the pages show is true."""

import json

import pytest

from compiler.diagnostics import CODES
from compiler.diagnostics.pages import block, find, page
from compiler.pipeline import compile_text

NOT_OF_A_SPEC = frozenset(
    ["PPL002", "PPL083", "PPL084", "PPL089", *(code for code in CODES if code.startswith("PPL09"))]
)
"""Codes that come from files, data or the command line, not from a spec's text."""


@pytest.mark.parametrize("code", CODES)
def test_page_is_complete(code: str) -> None:
    text = page(code)
    assert all([text.meaning, text.why, text.example, text.instead])
    assert "\n" not in text.meaning
    assert text.markdown.startswith(f"# {code} {CODES[code].slug}: {CODES[code].title}\n")
    assert (text.example_spec is None) == (code in NOT_OF_A_SPEC)


@pytest.mark.parametrize("code", [code for code in CODES if code not in NOT_OF_A_SPEC])
def test_example_brings_about_the_diagnostic_and_nothing_else(code: str) -> None:
    spec = page(code).example_spec
    assert spec is not None
    found = compile_text(spec, "example.ppl").diagnostics
    assert {diagnostic.code for diagnostic in found} == {code}, list(found)


@pytest.mark.parametrize("code", [code for code in CODES if code not in NOT_OF_A_SPEC])
def test_instead_is_clean(code: str) -> None:
    spec = page(code).instead_spec
    assert spec is not None
    compiled = compile_text(spec, "instead.ppl")
    assert list(compiled.diagnostics) == []
    assert compiled.program is not None


@pytest.mark.parametrize("code", sorted(NOT_OF_A_SPEC - {"PPL090"}))
def test_data_of_the_pages_is_json(code: str) -> None:
    for section in (page(code).example, page(code).instead):
        if data := block(section, "json"):
            assert isinstance(json.loads(data), dict)


def test_registry_and_files_agree() -> None:
    from pathlib import Path

    import compiler.diagnostics.pages as module

    files = (Path(module.__file__).with_name("pages")).glob("*.md")
    assert {file.stem for file in files} == set(CODES)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("PPL010", "PPL010"),
        ("ppl10", "PPL010"),
        ("10", "PPL010"),
        ("undefined-name", "PPL010"),
        ("Undefined-Name", "PPL010"),
        ("PPL999", None),
        ("nonsense", None),
    ],
)
def test_find(word: str, code: str | None) -> None:
    assert find(word) == code


def test_page_of_an_unknown_code() -> None:
    with pytest.raises(KeyError):
        page("PPL999")
