"""Sources of data as they were read, before anything is known about what the spec wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class SourceError(Exception):
    """A source that cannot be read.

    Attributes:
        message: What is wrong, the file named.
        remedy: What to do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, eq=False)
class Column:
    """One named entry of a source.

    Attributes:
        name: Its column or key.
        raw: Its values: a number, nested lists, or an array of any kind.
        dims: Names of its axes where the source knows them.
        categories: The categories in order, for a categorical column.
        mapped: Whether it is an array of numbers over memory that is mapped from a file.
    """

    name: str
    raw: Any
    dims: tuple[str, ...] | None = None
    categories: tuple[Any, ...] | None = None
    mapped: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """A file, or an object in memory.

    Attributes:
        label: How messages call it.
        columns: Its entries by name.
        table: Whether the entries are columns of one table, so that their rows belong together.
        textual: Whether all values are text that still has to be read as numbers.
        line_of: The line in the file of a row counted from 0; None where there are no lines.
    """

    label: str
    columns: dict[str, Column]
    table: bool = False
    textual: bool = False
    line_of: Callable[[int], int | None] | None = None
