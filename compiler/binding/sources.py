"""Sources of data as they were read, before anything is known about what the spec wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

from compiler.binding.snapshot import Watched
from compiler.memory import is_out_of_memory

Content = bytes | mmap
"""What a file holds: read, or mapped into memory."""


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


@contextmanager
def reading(label: str, form: str, remedy: str = "write the file once more") -> Iterator[None]:
    """Turn whatever a library raises over the content of a file into a `SourceError`.

    Libraries that read binary forms raise errors of many kinds over damaged files; all of them are
    the file's fault, as nothing else goes into them.

    Args:
        label: The file.
        form: What it is read as.
        remedy: What to do about damage.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise SourceError(
                f"{label} needs more memory than there is", "keep the columns that the spec uses"
            ) from None
        words = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise SourceError(f"{label} cannot be read as {form}: {words}", remedy) from None


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
        hashes: The SHA-256 of every file that was read, by its name, as it was read; empty for an
            object in memory.
        watched: The files that are read from where they lie while a fit runs.
    """

    label: str
    columns: dict[str, Column]
    table: bool = False
    textual: bool = False
    line_of: Callable[[int], int | None] | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    watched: tuple[Watched, ...] = ()
