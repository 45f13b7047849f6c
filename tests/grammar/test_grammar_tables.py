"""The parser's tables: those of the grammar, part of the package, and never needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lark
import pytest

from grammar import tables

ROOT = Path(__file__).parents[2]
SPECS = sorted(ROOT.glob("examples/*/*.ppl"))


@pytest.fixture(scope="module")
def built() -> lark.Lark:
    return tables.build()


def test_tables_parse_as_the_grammar_does(built: lark.Lark) -> None:
    read = tables.read()
    assert read is not None, "the grammar was changed: run `make docs`"
    for spec in SPECS:
        text = spec.read_text(encoding="utf-8")
        one, other = built.parse(text), read.parse(text)
        assert one == other
        assert one.meta.end_pos == other.meta.end_pos
    for wrong in ("model { x = }", "model m {\n x ~ Normal(0 1)\n}", "data { dim }"):
        places = []
        for parser in (built, read):
            with pytest.raises(lark.UnexpectedToken) as caught:
                parser.parse(wrong)
            places.append((caught.value.pos_in_stream, sorted(caught.value.accepts)))
        assert places[0] == places[1]


@pytest.mark.parametrize("content", [None, b"", b'{"key": 1', b'{"key": "of another grammar"}'])
def test_tables_that_are_not_the_grammar_s_are_done_without_and_regenerated(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: lark.Lark
) -> None:
    place = tmp_path / "ppl.json"
    if content is not None:
        place.write_bytes(content)
    monkeypatch.setattr(tables, "_TABLES", place)
    monkeypatch.setattr(tables, "build", lambda: built)
    tables.parser.cache_clear()
    assert tables.parser() is built
    tables.write()
    written = place.read_bytes()
    tables.parser.cache_clear()
    assert tables.parser() is not built
    tables.write()
    assert place.read_bytes() == written


def test_checking_reads_and_writes_nothing_in_the_user_s_folders(tmp_path: Path) -> None:
    """A parser planted as a pickle in the cache folder once ran code at `pplc check`."""
    code = (
        "import sys\n"
        "seen = ('open', 'os.mkdir', 'pickle.find_class')\n"
        "sys.addaudithook(lambda name, told: name in seen and print(name, told[0]))\n"
        "from grammar.parse import parse\n"
        "parse('model { x = 1 }')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ppl.json" in done.stdout
    assert str(tmp_path) not in done.stdout
    assert "pickle.find_class" not in done.stdout
