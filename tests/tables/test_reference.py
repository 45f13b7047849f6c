"""The pages generated from the tables of distributions and foreign names are up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.reference import REFERENCE, distributions_page, write_pages


@pytest.mark.parametrize("name", ["distributions.md", "foreign-names.md"])
def test_pages_are_up_to_date(name: str, tmp_path: Path) -> None:
    write_pages(tmp_path)
    assert (REFERENCE / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(
        encoding="utf-8"
    ), "run `python -m compiler.tables.reference`"


def test_every_distribution_has_a_section() -> None:
    page = distributions_page()
    for name in DISTRIBUTIONS:
        assert f"### {name}\n" in page
