"""Reads tables: CSV and its relatives, Parquet and Arrow."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from compiler.binding.arrays import Array
from compiler.binding.repeated import repeated
from compiler.binding.sources import Column, Source, SourceError


def read_csv(path: Path) -> Source:
    """Read a CSV file whose first line names the columns; values stay text.

    The separator is the one of `,`, `;`, tab and `|` that the first line has most of.

    Raises:
        SourceError: The text cannot be read as a table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
        separator = max(",;\t|", key=header.count)
        names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
        _check_width(path, separator)
        table = pd.read_csv(
            path,
            sep=separator,
            dtype=str,
            na_filter=False,
            encoding="utf-8-sig",
            header=None,
            skiprows=1,
            names=range(len(names)),
            index_col=False,
            on_bad_lines="error",
        )
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path}: byte {error.start} (0x{error.object[error.start]:02x}) is not UTF-8",
            "save the table as UTF-8",
        ) from None
    except pd.errors.EmptyDataError:
        table = pd.DataFrame({i: [] for i in range(len(names))}, dtype=str)
    except (pd.errors.ParserError, csv.Error, ValueError) as error:
        raise SourceError(
            f"{path} cannot be read as a table: {_plain(error)}",
            "give every row as many values as the first line has names",
        ) from None
    twice = repeated(names)
    if twice:
        raise SourceError(
            f"{path} has several columns called {', '.join(map(repr, twice))}",
            "give every column a name of its own in the first line",
        )
    if not any(names):
        raise SourceError(f"{path} has no column names", "name the columns in its first line")
    columns = {
        name: Column(name, table[i].to_numpy(dtype=object)) for i, name in enumerate(names) if name
    }

    def line_of(row: int) -> int | None:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator)
            next(reader)
            rows = (reader.line_num for cells in reader if cells)
            return next((line for i, line in enumerate(rows) if i == row), None)

    return Source(str(path), columns, table=True, textual=True, line_of=line_of)


def _check_width(path: Path, separator: str) -> None:
    """Refuse rows that are longer than the header, which pandas cuts without a word."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        width = len(next(reader, ()))
        for cells in reader:
            if len(cells) > width:
                raise SourceError(
                    f"{path}, line {reader.line_num}: {len(cells)} values for {width} columns",
                    "give every row as many values as the first line has names; "
                    "a value that holds a comma needs quotes, a decimal comma becomes a point",
                )


def _plain(error: Exception) -> str:
    return str(error).strip().removeprefix("Error tokenizing data. C error: ")


def read_parquet(path: Path) -> Source:
    """Read a Parquet file.

    Raises:
        SourceError: It is damaged, or holds what pandas cannot read.
    """
    try:
        table = pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise SourceError(
            f"{path} cannot be read as Parquet: {error}", "write the file once more"
        ) from None
    return from_frame(table, str(path))


def read_arrow(path: Path) -> Source:
    """Read an Arrow (Feather) file.

    Columns of numbers without gaps, uncompressed and in one record batch, stay in the file; so do
    such lists of equal length, which make a matrix.

    Raises:
        SourceError: It is damaged, or holds what pandas cannot read.
    """
    import pyarrow

    try:
        table = pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()
        mapped = {name: _mapped(table.column(name)) for name in dict.fromkeys(table.column_names)}
        rest = [name for name in table.column_names if mapped[name] is None]
        source = from_frame(table.select(rest).to_pandas(), str(path))
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise SourceError(
            f"{path} cannot be read as Arrow: {error}", "write the file once more"
        ) from None
    columns = {
        name: source.columns[name] if array is None else Column(name, array, mapped=True)
        for name, array in mapped.items()
    }
    return Source(str(path), columns, table=True)


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
