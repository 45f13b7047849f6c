"""Reads the `NAME=COLUMN,…` form in which a user says which columns a variable comes from."""

from __future__ import annotations

from collections.abc import Iterable


def parse_mapping(items: Iterable[str]) -> dict[str, str]:
    """Return the mapping that `--map` options write, from column to the spec's name.

    Args:
        items: Each `NAME=COLUMN` or, for a matrix, `NAME=COLUMN,COLUMN,…`; NAME is a variable or
            a dim of the spec, and for a dim the column holds its labels.

    Raises:
        ValueError: An item is not of that form, or a column is given twice.
    """
    mapping: dict[str, str] = {}
    for item in items:
        name, equals, columns = (part.strip() for part in item.partition("="))
        names = [column.strip() for column in columns.split(",")]
        if not (name and equals and all(names)):
            raise ValueError(f"{item!r} is not of the form NAME=COLUMN or NAME=COLUMN,COLUMN,…")
        for column in names:
            if mapping.setdefault(column, name) != name:
                raise ValueError(
                    f"column {column!r} is mapped to both {mapping[column]!r} and {name!r}"
                )
    return mapping
