"""The page on many fits: its code runs, and prints what is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pyro
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "many-fits.md"
_BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.M | re.S)


@pytest.fixture(autouse=True)
def _fresh_store():
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    yield
    pyro.clear_param_store()


def words(text):
    """A text whose numbers are left open: which of equal restarts is the best is rounding."""
    return re.sub(r"\d[\d.]*", "N", text).strip()


def test_the_code_prints_what_is_shown(capsys):
    names, printed, shown = {}, "", 0
    for kind, block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "python":
            exec(compile(block, str(PAGE), "exec"), names)
            printed = capsys.readouterr().out
        else:
            assert words(printed) == words(block)
            assert printed.splitlines()[1] == block.splitlines()[1] == "12.0"
            shown += 1
    assert shown == 1
    assert len(names["means"]) == 10
