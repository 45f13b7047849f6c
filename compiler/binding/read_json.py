"""Reads a JSON file: an object of numbers and nested lists, or a list of records."""

from __future__ import annotations

import json
from typing import Any

from compiler.binding.repeated import repeated
from compiler.binding.sources import Column, Content, Source, SourceError


class _RepeatedKeyError(ValueError):
    pass


def read_json(label: str, content: Content) -> Source:
    """Read a JSON file.

    Raises:
        SourceError: It is not JSON, or neither an object nor a list of objects.
    """
    try:
        found = json.loads(bytes(content), object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{label} is not JSON: {error.msg[0].lower()}{error.msg[1:]} at line {error.lineno}, "
            f"column {error.colno}",
            "correct the file there; numbers need no quotes, and a list no comma at its end",
        ) from None
    except UnicodeDecodeError as error:
        raise SourceError(f"{label}: byte {error.start} is not UTF-8", "save it as UTF-8") from None
    except _RepeatedKeyError as error:
        raise SourceError(f"{label} has the key {error} twice", "remove one of them") from None
    except RecursionError:
        raise SourceError(f"{label} is nested too deeply", "give plain lists of numbers") from None
    except MemoryError:
        raise SourceError(f"{label} needs more memory than there is", "split it") from None
    except ValueError as error:
        raise SourceError(
            f"{label} holds a number that is too long: {error}", "shorten it"
        ) from None
    if isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
        return _records(label, found)
    if not isinstance(found, dict):
        raise SourceError(
            f"{label} holds no names: its outermost value is a {_kind(found)}",
            'write an object: {"y": [1.5, 2.5], …}, or a list of such records',
        )
    return Source(label, {name: Column(name, value) for name, value in found.items()})


def _records(label: str, rows: list[dict[str, Any]]) -> Source:
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: Column(name, [row.get(name) for row in rows]) for name in names}
    return Source(label, columns, table=True)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedKeyError(repr(repeated(name for name, _ in pairs)[0]))
    return found


def _kind(value: Any) -> str:
    kinds = {list: "list", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")
