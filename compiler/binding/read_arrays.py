"""Reads npz archives; nothing in them is ever unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from compiler.binding.sources import Column, Source, SourceError

MAX_UNPACKED = 8 * 1024**3
"""The most bytes that an archive may unpack to."""


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
        pickled = "allow_pickle" in str(error)
        raise SourceError(
            f"{path} holds Python objects, which are not read"
            if pickled
            else f"{path} cannot be read as npz: {error}",
            "save plain arrays of numbers or strings",
        ) from None
    except (OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise SourceError(
            f"{path} cannot be read as npz: {error}", "write the file once more"
        ) from None
    return Source(str(path), columns)
