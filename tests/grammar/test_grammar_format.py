"""The formatter's cases: each file of format/ holds a spec and its canonical text."""

from __future__ import annotations

from pathlib import Path

import pytest

from grammar.format import format_spec

HERE = Path(__file__).parent
CASES = sorted((HERE / "format").glob("*.ppl"))
PROGRAMS = sorted((HERE / "programs").glob("*.ppl"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_spec_is_formatted(path: Path) -> None:
    written, formatted = path.read_text().split("--- formatted ---\n")
    assert format_spec(written) == formatted
    assert format_spec(formatted) == formatted


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_of_the_reference_keeps_its_lines(path: Path) -> None:
    text = path.read_text()
    formatted = format_spec(text)
    assert [line.split() for line in formatted.splitlines()] == [
        line.split() for line in text.splitlines()
    ]


def test_a_spec_without_anything_stays_so() -> None:
    assert format_spec("") == ""
    assert format_spec("\n\n") == ""
    assert format_spec("# only this") == "# only this\n"
