"""Changes of an IR file: its texts, its numbers, its structure."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

from fuzz.ir.payloads import TEXTS, VALUES

Path = tuple[str | int, ...]


def mutated(ir: Any, random: Random) -> tuple[Any, list[str]]:
    """Return a changed copy of an IR, and what was put into it."""
    changed = copy.deepcopy(ir)
    put: list[str] = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        leaves = [path for path in _leaves(changed) if "location" not in path]
        if not leaves:
            break
        kind = random.random()
        if kind < 0.6:
            texts = [path for path in leaves if isinstance(_at(changed, path), str)]
            put.append(random.choice(TEXTS))
            _put(changed, random.choice(texts or leaves), put[-1])
        elif kind < 0.8:
            _put(changed, random.choice(leaves), random.choice(VALUES))
        else:
            _restructure(changed, random, moved=kind < 0.9)
    return changed, put


def _restructure(ir: Any, random: Random, *, moved: bool) -> None:
    """Put one part where another stands, or take one out, or double one."""
    places = [path for path in _containers(ir) if path and _at(ir, path)]
    if not places:
        return
    if moved:
        _put(ir, random.choice(places), copy.deepcopy(_at(ir, random.choice(places))))
        return
    container = _at(ir, random.choice(places))
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    key = random.choice(keys)
    if random.random() < 0.7:
        del container[key]
    elif isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    else:
        container[random.choice(["x", "", "kind", "PWNED"])] = copy.deepcopy(container[key])


def _children(part: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(part, dict):
        yield from part.items()
    elif isinstance(part, list):
        yield from enumerate(part)


def _leaves(part: Any, path: Path = ()) -> Iterator[Path]:
    if not isinstance(part, dict | list):
        yield path
    for key, child in _children(part):
        yield from _leaves(child, (*path, key))


def _containers(part: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(part, dict | list):
        yield path
    for key, child in _children(part):
        yield from _containers(child, (*path, key))


def _at(part: Any, path: Path) -> Any:
    for key in path:
        part = part[key]
    return part


def _put(part: Any, path: Path, value: Any) -> None:
    _at(part, path[:-1])[path[-1]] = value
