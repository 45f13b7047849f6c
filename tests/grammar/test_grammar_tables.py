"""The parser's tables are kept between runs where they can be, and never needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grammar import tables

TEXT = "model { x = 1 }"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    tables.parser.cache_clear()
    yield
    tables.parser.cache_clear()


def test_tables_are_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = tables.parser().parse(TEXT)
    (kept,) = (tmp_path / "pplc").iterdir()
    written = kept.stat().st_mtime_ns
    tables.parser.cache_clear()
    assert tables.parser().parse(TEXT) == first
    assert kept.stat().st_mtime_ns == written


def test_broken_tables_are_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tables.parser()
    (kept,) = (tmp_path / "pplc").iterdir()
    kept.write_bytes(b"no tables")
    tables.parser.cache_clear()
    assert tables.parser().parse(TEXT)


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pplc").write_text("a file where the directory would be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tables.parser().parse(TEXT)
