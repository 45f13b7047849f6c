"""What an emitted module imports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

_STANDARD = frozenset({"functools", "math"})


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """`import module as alias`, or `from module import name as alias`."""

    module: str
    name: str | None = None
    alias: str | None = None

    @property
    def bound(self) -> str:
        """The name that the import defines."""
        return self.alias or self.name or self.module.split(".")[0]


def import_lines(imports: Iterable[Import]) -> list[str]:
    """Return the lines that import all of these, sorted as ruff sorts them."""
    standard = [one for one in set(imports) if one.module.split(".")[0] in _STANDARD]
    others = [one for one in set(imports) if one not in standard]
    groups = [_group(group) for group in (standard, others) if group]
    return [line for i, lines in enumerate(groups) for line in ([""] if i else []) + lines]


def _group(imports: Iterable[Import]) -> list[str]:
    """Return one block: plain imports first, then a line for each module."""
    plain: list[str] = []
    members: dict[str, list[str]] = defaultdict(list)
    for one in sorted(imports, key=lambda one: (one.module, _order(one.name or ""))):
        alias = f" as {one.alias}" if one.alias and one.alias != one.name else ""
        if one.name is None:
            plain.append(f"import {one.module}{alias}")
        elif alias:
            members[f"{one.module} {one.name}"].append(f"{one.name}{alias}")
        else:
            members[one.module].append(one.name)
    return plain + [
        f"from {module.split(' ')[0]} import {', '.join(members[module])}"
        for module in sorted(members)
    ]


def _order(name: str) -> tuple[int, str]:
    """Return the key by which ruff sorts members: constants, then classes, then the others.

    Among its like a name is sorted without regard to case.
    """
    if name.isupper():
        return 0, name
    return (1 if name[:1].isupper() else 2), name.lower()
