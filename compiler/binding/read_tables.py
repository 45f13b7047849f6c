"""Reads tables: CSV and its relatives, Parquet and Arrow."""

from __future__ import annotations

import csv
import io
from mmap import mmap
from typing import Any

import pandas as pd

from compiler.binding.arrays import Array
from compiler.binding.repeated import repeated
from compiler.binding.sources import Column, Content, Source, SourceError, reading
from compiler.memory import in_words, is_too_much, room


def read_csv(label: str, content: Content) -> Source:
    """Read a CSV file whose first line names the columns; values stay text.

    The separator is the one of `,`, `;`, tab and `|` that the first line has most of.

    Raises:
        SourceError: The text cannot be read as a table.
    """
    try:
        header = _text(content).readline()
        separator = max(",;\t|", key=header.count)
        names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
        _check_width(label, content, separator)
        table = pd.read_csv(
            _text(content),
            sep=separator,
            dtype=str,
            na_filter=False,
            header=None,
            skiprows=1,
            names=range(len(names)),
            index_col=False,
            on_bad_lines="error",
        )
    except UnicodeDecodeError:
        raise _undecodable(label, content) from None
    except pd.errors.EmptyDataError:
        table = pd.DataFrame({i: [] for i in range(len(names))}, dtype=str)
    except MemoryError:
        raise SourceError(f"{label} needs more memory than there is", "split it") from None
    except (pd.errors.ParserError, csv.Error, ValueError) as error:
        raise SourceError(
            f"{label} cannot be read as a table: {_plain(error)}",
            "give every row as many values as the first line has names",
        ) from None
    twice = repeated(names)
    if twice:
        raise SourceError(
            f"{label} has several columns called {', '.join(map(repr, twice))}",
            "give every column a name of its own in the first line",
        )
    if not any(names):
        raise SourceError(f"{label} has no column names", "name the columns in its first line")
    columns = {
        name: Column(name, table[i].to_numpy(dtype=object)) for i, name in enumerate(names) if name
    }

    def line_of(row: int) -> int | None:
        reader = csv.reader(_text(content), delimiter=separator)
        next(reader)
        rows = (reader.line_num for cells in reader if cells)
        return next((line for i, line in enumerate(rows) if i == row), None)

    return Source(label, columns, table=True, textual=True, line_of=line_of)


def _text(content: Content) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")


def _undecodable(label: str, content: Content) -> SourceError:
    """Return the error for text that is not UTF-8, with the line and the byte."""
    try:
        bytes(content).decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        where = f"line {line}, byte {error.start} (0x{error.object[error.start]:02x})"
        return SourceError(f"{label}: {where} is not UTF-8", "save the table as UTF-8")
    raise AssertionError("the whole is as it was in parts")


def _check_width(label: str, content: Content, separator: str) -> None:
    """Refuse rows that are longer than the header, which pandas cuts without a word."""
    reader = csv.reader(_text(content), delimiter=separator)
    width = len(next(reader, ()))
    for cells in reader:
        if len(cells) > width:
            raise SourceError(
                f"{label}, line {reader.line_num}: {len(cells)} values for {width} columns",
                "give every row as many values as the first line has names; "
                "a value that holds a comma needs quotes, a decimal comma becomes a point",
            )


def _plain(error: Exception) -> str:
    return str(error).strip().removeprefix("Error tokenizing data. C error: ")


def read_parquet(label: str, content: Content) -> Source:
    """Read a Parquet file.

    Raises:
        SourceError: It is damaged, or holds what pandas cannot read.
    """
    import pyarrow.parquet

    with reading(label, "Parquet"):
        facts = pyarrow.parquet.read_metadata(io.BytesIO(content))
        if is_too_much(size := facts.num_rows * facts.num_columns):  # of a byte each at least
            raise SourceError(
                f"{label} is said to have {facts.num_rows:,} rows, which need {in_words(size)} at "
                f"least, and {room()}",
                "keep the rows and columns that the spec uses",
            )
        return from_frame(pd.read_parquet(io.BytesIO(content), engine="pyarrow"), label)


def read_arrow(label: str, content: Content) -> Source:
    """Read an Arrow (Feather) file.

    Columns of numbers without gaps, uncompressed and in one record batch, stay where the file is
    mapped; so do such lists of equal length, which make a matrix.

    Raises:
        SourceError: It is damaged, or holds what pandas cannot read.
    """
    import pyarrow

    with reading(label, "Arrow"):
        table = pyarrow.ipc.open_file(pyarrow.py_buffer(content)).read_all()
        table.validate(full=True)
        there = {name: _mapped(table.column(name)) for name in dict.fromkeys(table.column_names)}
        rest = [name for name in table.column_names if there[name] is None]
        source = from_frame(table.select(rest).to_pandas(), label)
    mapped = isinstance(content, mmap)
    columns = {
        name: source.columns[name] if array is None else Column(name, array, mapped=mapped)
        for name, array in there.items()
    }
    return Source(label, columns, table=True)


def _mapped(column: Any) -> Array | None:
    """Return an Arrow column as an array over its own memory, None where it would be a copy."""
    import pyarrow

    if column.num_chunks != 1 or column.null_count:
        return None
    chunk = column.chunk(0)
    shape: tuple[int, ...] = (-1,)
    if pyarrow.types.is_fixed_size_list(chunk.type):
        shape = (-1, chunk.type.list_size)
        chunk = chunk.flatten()
    if chunk.null_count or not (
        pyarrow.types.is_integer(chunk.type) or pyarrow.types.is_floating(chunk.type)
    ):
        return None
    array: Array = chunk.to_numpy(zero_copy_only=True)
    return array.reshape(shape)


def from_frame(table: pd.DataFrame, label: str) -> Source:
    """Return a data frame as a source; a named index becomes a column.

    Args:
        table: The data frame.
        label: How messages call it.

    Raises:
        SourceError: Two columns have one name.
    """
    if table.index.name is not None and table.index.name not in table.columns:
        table = table.reset_index()
    names = [str(name) for name in table.columns]
    twice = repeated(names)
    if twice:
        raise SourceError(
            f"{label} has several columns called {', '.join(map(repr, twice))}",
            "give every column a name of its own",
        )
    columns = [from_series(table.iloc[:, i], name) for i, name in enumerate(names)]
    return Source(label, {column.name: column for column in columns}, table=True)


def from_series(series: pd.Series[Any], name: str) -> Column:
    """Return one column of a data frame."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = tuple(series.cat.categories)
        return Column(name, series.to_numpy(dtype=object), categories=categories)
    if series.dtype.kind in "biufM":
        plain = series.hasnans and series.dtype.kind in "biu"
        return Column(name, series.to_numpy(dtype=object if plain else None))
    return Column(name, series.to_numpy(dtype=object))
