"""Builds the LALR(1) parser once and keeps its tables in the user's cache directory.

Building takes about 200 ms, loading 15 ms. Where nothing can be kept (a read-only home, no home at
all), the parser is built anew, silently.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from pathlib import Path

import lark

from grammar.newlines import Newlines

_GRAMMAR = Path(__file__).with_name("ppl.lark")


@cache
def parser() -> lark.Lark:
    """Return the parser of `ppl.lark`: a parse tree with positions, names unresolved."""
    grammar = _GRAMMAR.read_text(encoding="utf-8")
    try:
        kept = _kept_tables(grammar)
        if kept.exists():
            return _build(grammar, kept)
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written under a name of its own and then moved, so that no run reads half a file.
        fresh = kept.with_suffix(f".{os.getpid()}")
        built = _build(grammar, fresh)
        os.replace(fresh, kept)
    except (OSError, RuntimeError):
        return _build(grammar, None)
    return built


def _build(grammar: str, tables: Path | None) -> lark.Lark:
    """Build the parser, from `tables` where that file is sound; else write it."""
    return lark.Lark(
        grammar,
        parser="lalr",
        propagate_positions=True,
        postlex=Newlines(),
        cache=str(tables) if tables else False,
    )


def _kept_tables(grammar: str) -> Path:
    """Return the file that holds the tables of this grammar, for this Lark and this Python.

    Raises:
        RuntimeError: The user has no home directory.
    """
    key = f"{grammar}\n{lark.__version__}\n{sys.version_info[:2]}"
    name = f"grammar-{hashlib.sha256(key.encode()).hexdigest()[:16]}.tables"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pplc" / name
