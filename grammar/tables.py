"""Builds the LALR(1) parser once and keeps its tables in the user's cache directory.

Building takes about 200 ms, loading 15 ms. Where nothing can be kept (a read-only home, no home at
all), the parser is built anew, silently.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
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
    except RuntimeError:
        return _build(grammar)
    try:
        with kept.open("rb") as file:
            return lark.Lark.load(file)
    except Exception:  # a damaged pickle raises what it likes; whatever it is, build anew
        built = _build(grammar)
    with suppress(OSError):
        _keep(built, kept)
    return built


def _build(grammar: str) -> lark.Lark:
    return lark.Lark(grammar, parser="lalr", propagate_positions=True, postlex=Newlines())


def _keep(built: lark.Lark, kept: Path) -> None:
    """Write the tables under a name of their own, then move them: no run reads half a file."""
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    with fresh.open("wb") as file:
        built.save(file)
    os.replace(fresh, kept)


def _kept_tables(grammar: str) -> Path:
    """Return the file that holds the tables of this grammar, for this Lark and this Python.

    Raises:
        RuntimeError: The user has no home directory.
    """
    key = f"{grammar}\n{lark.__version__}\n{sys.version_info[:2]}"
    name = f"grammar-{hashlib.sha256(key.encode()).hexdigest()[:16]}.tables"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pplc" / name
