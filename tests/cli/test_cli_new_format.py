"""The starter that `pplc new` writes is in the canonical layout."""

from compiler.cli.new import _STARTER
from grammar.format import format_spec


def test_starter_is_formatted() -> None:
    text = _STARTER.format(path="model.ppl", name="model_1")
    assert format_spec(text, "model.ppl") == text
