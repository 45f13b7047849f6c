"""The LALR(1) parser of `ppl.lark`, from tables that are part of this package.

Building the parser takes 140 ms or more, reading its tables 11 ms. `python -m grammar.tables`
regenerates them after a change of the grammar; until then, and under another series of Lark, the
parser is built in every process. Nothing outside the package is read or written.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from grammar.newlines import Newlines

_GRAMMAR = Path(__file__).with_name("ppl.lark")
_TABLES = Path(__file__).with_name("ppl.json")


@cache
def parser() -> lark.Lark:
    """Return the parser of `ppl.lark`: a parse tree with positions, names unresolved."""
    return read() or build()


def read() -> lark.Lark | None:
    """Return the parser of the tables; None where they are missing or of another grammar."""
    try:
        tables = json.loads(_TABLES.read_bytes())
    except (OSError, ValueError):
        return None
    if tables["key"] != _key():
        return None
    table = tables["data"]["parser"]["parser"]
    states = {state: _by_number(actions) for state, actions in table["states"].items()}
    table |= {"tokens": _by_number(table["tokens"]), "states": _by_number(states)}
    tables["data"]["options"]["postlex"] = Newlines()
    return lark.Lark.load({"data": tables["data"], "memo": _by_number(tables["memo"])})


def build() -> lark.Lark:
    """Return the parser of the grammar."""
    grammar = _GRAMMAR.read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", propagate_positions=True, postlex=Newlines())


def write() -> None:
    """Regenerate the tables if they are not those of the grammar.

    Only then: Lark numbers the states in another order each time.
    """
    if read() is None:
        data, memo = build().memo_serialize([TerminalDef, Rule])
        options = {name: one for name, one in data["options"].items() if name != "postlex"}
        tables = {"key": _key(), "data": {**data, "options": options}, "memo": memo}
        _TABLES.write_text(json.dumps(tables, separators=(",", ":")) + "\n", encoding="utf-8")


def _key() -> list[str]:
    """Return what the tables depend on: the series of Lark (such as 1.3), and the grammar."""
    return [lark.__version__.rpartition(".")[0], _GRAMMAR.read_text(encoding="utf-8")]


def _by_number(table: dict[str, Any]) -> dict[int, Any]:
    """Undo what JSON does to keys that are numbers."""
    return {int(key): value for key, value in table.items()}


if __name__ == "__main__":
    write()
