"""Reads npz archives and npy files; nothing in them is ever unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from compiler.binding.arrays import Array
from compiler.binding.sources import Column, Source, SourceError

MAX_UNPACKED = 8 * 1024**3
"""The most bytes that an archive may unpack to."""

_MAPPED_FROM = 2**20
"""Bytes from which an npy file is mapped into memory; a smaller one is read."""


def read_npz(path: Path) -> Source:
    """Read an npz archive: an array a name.

    Raises:
        SourceError: It is no such archive, unpacks to too much, or holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        if not members or not all(member.filename.endswith(".npy") for member in members):
            raise SourceError(
                f"{path} is a zip archive but no npz file",
                "unpack it first, or write the arrays with numpy.savez",
            )
        if sum(member.file_size for member in members) > MAX_UNPACKED:
            raise SourceError(
                f"{path} unpacks to more than {MAX_UNPACKED // 1024**3} GiB",
                "keep the arrays that the spec uses",
            )
        with np.load(path, allow_pickle=False) as arrays:
            columns = {name: Column(name, arrays[name]) for name in arrays.files}
    except ValueError as error:
        raise _unreadable(path, "npz", error) from None
    except (OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise SourceError(
            f"{path} cannot be read as npz: {error}", "write the file once more"
        ) from None
    return Source(str(path), columns)


def read_npy(path: Path) -> Source:
    """Read an npy file: one array, called as the file is without its ending.

    Raises:
        SourceError: It is no such file, or holds Python objects.
    """
    return Source(str(path), {path.stem: _npy_column(path)})


def read_folder(path: Path) -> Source:
    """Read the npy files of a folder: an array a file.

    Raises:
        SourceError: There are none, or one cannot be read.
    """
    files = sorted(path.glob("*.npy"))
    if not files:
        raise SourceError(
            f"{path} is a folder without .npy files",
            "give the data file itself, or a folder with an array a file",
        )
    return Source(str(path), {file.stem: _npy_column(file) for file in files})


def _npy_column(path: Path) -> Column:
    """Return the array of a file, mapped into memory if it is large.

    It is mapped so that writing to the array would leave the file as it is; nobody writes, but
    torch asks for memory that can be written to.
    """
    mapped = path.stat().st_size >= _MAPPED_FROM
    try:
        array: Array = np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
    except ValueError as error:
        raise _unreadable(path, "npy", error) from None
    except (OSError, EOFError) as error:
        raise SourceError(
            f"{path} cannot be read as npy: {error}", "write the file once more"
        ) from None
    return Column(path.stem, array, mapped=mapped)


def _unreadable(path: Path, form: str, error: ValueError) -> SourceError:
    pickled = any(word in str(error) for word in ("allow_pickle", "Python objects"))
    return SourceError(
        f"{path} holds Python objects, which are not read"
        if pickled
        else f"{path} cannot be read as {form}: {error}",
        "save plain arrays of numbers or strings",
    )
