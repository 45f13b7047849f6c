"""Reads npz archives and npy files; nothing in them is ever unpickled."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from mmap import mmap
from pathlib import PurePath
from typing import Any, BinaryIO

import numpy as np

from compiler.binding.arrays import Array
from compiler.binding.sources import Column, Content, Source, SourceError, reading
from compiler.memory import in_words, is_too_much, room

_Header = tuple[tuple[int, ...], bool, np.dtype[Any]]

_HEADERS: dict[tuple[int, int], Callable[[BinaryIO], _Header]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST_HEADER = 2**16
_KINDS = "biufcmMSU"
_REMEDY = "save plain arrays of numbers or strings"


def read_npz(label: str, content: Content) -> Source:
    """Read an npz archive: an array a name.

    Raises:
        SourceError: It is no such archive, unpacks to too much, or holds Python objects.
    """
    with (
        reading(label, "npz", "write the file once more, without a password"),
        zipfile.ZipFile(io.BytesIO(content)) as archive,
    ):
        members = archive.infolist()
        names = [member.filename for member in members]
        if not members or not all(name.endswith(".npy") for name in names):
            raise SourceError(
                f"{label} is a zip archive but no npz file",
                "unpack it first, or write the arrays with numpy.savez",
            )
        if len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise SourceError(f"{label} holds {twice!r} twice", "write the file once more")
        size = sum(member.file_size for member in members)
        if is_too_much(size):
            raise SourceError(
                f"{label} unpacks to {in_words(size)}, and {room()}",
                "keep the arrays that the spec uses",
            )
        columns = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            array = _array(f"{label}, entry {name!r}", archive.read(member))
            columns[name] = Column(name, array)
    return Source(label, columns)


def read_npy(label: str, content: Content) -> Source:
    """Read an npy file: one array, called as the file is without its ending.

    Raises:
        SourceError: It is no such file, or holds Python objects.
    """
    with reading(label, "npy"):
        array = _array(label, content)
    name = PurePath(label).stem
    return Source(label, {name: Column(name, array, mapped=isinstance(content, mmap))})


def _array(label: str, content: Content) -> Array:
    """Return the array that lies in the content of an npy file, which is not copied.

    Where it is mapped, writing to the array leaves the file as it is; nobody writes, but torch
    asks for memory that can be written to.
    """
    head = io.BytesIO(content[:_LONGEST_HEADER])
    version = np.lib.format.read_magic(head)
    if version not in _HEADERS:
        raise SourceError(f"{label} has the npy version {version}, which is not known", _REMEDY)
    shape, fortran, dtype = _HEADERS[version](head)
    if dtype.hasobject:
        raise SourceError(f"{label} holds Python objects, which are not read", _REMEDY)
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise SourceError(f"{label} holds entries of the type {dtype}, which are not read", _REMEDY)
    wanted, held = math.prod(shape) * dtype.itemsize, len(content) - head.tell()
    if min(shape, default=0) < 0 or wanted > held:
        numbers = " by ".join(f"{length:,}" for length in shape)
        raise SourceError(
            f"{label} is said to have {numbers} entries in its header, and has {held:,} bytes of "
            "them",
            "write the file once more",
        )
    offset = head.tell()
    return np.ndarray(shape, dtype, content, offset, order="F" if fortran else "C")
