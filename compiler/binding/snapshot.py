"""Large files in memory that is mapped from a copy of them, which nobody else can change.

A process dies where it reads memory that is mapped from a file which another has cut short, and
computes with a mixture of old and new numbers where another has written into it. So the file is
copied to one without a name beside it, which the system removes with the process, and its hash is
taken of the very bytes that are copied. A file that is too large for that, or in a folder without
room, is mapped as it is; whether it was changed is asked after the fit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import BinaryIO

MOST_COPIED = 8 * 1024**3
"""Bytes up to which a file is copied."""

_BLOCK = 2**22


@dataclass(frozen=True)
class Watched:
    """A file that is read from where it lies while a fit runs.

    Attributes:
        path: The file.
        before: Size and time of the last change, when it was mapped.
    """

    path: Path
    before: tuple[int, int]

    @property
    def changed(self) -> bool:
        """Whether it is no longer as it was."""
        try:
            return _state(os.stat(self.path)) != self.before
        except OSError:
            return False  # removed or replaced as a whole: what is mapped is still the old one


def mapped(file: BufferedReader, path: Path) -> tuple[mmap, str, Watched | None]:
    """Map a file into memory, so that writing to the memory changes no file.

    Args:
        file: The file, opened, at any place.
        path: Where it is.

    Returns:
        The memory; the SHA-256 of what is in it; and the file to watch, if it could not be copied.
    """
    found = os.fstat(file.fileno())
    file.seek(0)
    with suppress(OSError), _nameless(path.parent, found.st_size) as copy:
        digest = _copy(file, copy)
        return mmap(copy.fileno(), 0, access=ACCESS_COPY), digest, None
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    memory = mmap(file.fileno(), 0, access=ACCESS_COPY)
    return memory, digest, Watched(path, _state(found))


def _nameless(folder: Path, size: int) -> BinaryIO:
    """Open a file without a name; OSError where there can be none of that size."""
    if size > MOST_COPIED or shutil.disk_usage(folder).free < 2 * size:
        raise OSError("no room for a copy")
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None:
        raise OSError("this system has no files without a name")
    return os.fdopen(os.open(folder, flag | os.O_RDWR, 0o600), "w+b")


def _copy(source: BinaryIO, target: BinaryIO) -> str:
    digest = hashlib.sha256()
    for block in _blocks(source):
        digest.update(block)
        target.write(block)
    target.flush()
    return digest.hexdigest()


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(_BLOCK):
        yield block


def _state(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns
