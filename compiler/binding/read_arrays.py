"""Reads npz archives and npy files; nothing in them is ever unpickled."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from mmap import mmap
from pathlib import PurePath
from typing import Any, BinaryIO, Literal

import numpy as np

from compiler.binding.arrays import MOST_AXES, Array
from compiler.binding.packed import Packed
from compiler.binding.sources import Column, Content, Source, SourceError, reading
from compiler.memory import in_words, is_too_much, room

_HEADERS: dict[
    tuple[int, int], Callable[[BinaryIO], tuple[tuple[int, ...], bool, np.dtype[Any]]]
] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST_HEADER = 2**16
_KINDS = "biufcmMSU"
_REMEDY = "save plain arrays of numbers or strings"


def read_npz(label: str, content: Content) -> Source:
    """Read an npz archive: an array a name. Only the headers of the arrays are read for now.

    Raises:
        SourceError: It is no such archive, or promises what it does not hold.
    """
    with (
        _reading_npz(label),
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
        columns = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                start = file.read(_LONGEST_HEADER)
            header = _header(f"{label}, entry {name!r}", start, member.file_size)
            unpack = partial(_unpacked, label, content, member.filename, header)
            columns[name] = Column(name, Packed(header.shape, unpack))
    return Source(label, columns)


def _unpacked(label: str, content: Content, member: str, header: _Header) -> Array:
    with _reading_npz(label), zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo(member).file_size
        if is_too_much(size):
            raise SourceError(
                f"{label}, entry {member.removesuffix('.npy')!r} unpacks to {in_words(size)}, and "
                f"{room()}",
                "give a part of it",
            )
        return header.array(archive.read(member))


def _reading_npz(label: str) -> AbstractContextManager[None]:
    return reading(label, "npz", "write the file once more, without a password")


def read_npy(label: str, content: Content) -> Source:
    """Read an npy file: one array, called as the file is without its ending.

    Raises:
        SourceError: It is no such file, or holds Python objects.
    """
    with reading(label, "npy"):
        header = _header(label, content[:_LONGEST_HEADER], len(content))
        array = header.array(content)
    name = PurePath(label).stem
    return Source(label, {name: Column(name, array, mapped=isinstance(content, mmap))})


@dataclass(frozen=True)
class _Header:
    """What an npy file says of its array.

    Attributes:
        shape: Its shape.
        dtype: The type of its entries.
        order: `F` where the first index runs fastest, else `C`.
        length: Of the header itself, in bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"]
    length: int

    def array(self, content: Content) -> Array:
        """Return the array that lies in the content of the file, which is not copied.

        Where it is mapped, writing to the array leaves the file as it is; nobody writes, but torch
        asks for memory that can be written to.
        """
        return np.ndarray(self.shape, self.dtype, content, self.length, order=self.order)


def _header(label: str, start: bytes, size: int) -> _Header:
    """Read the header of an npy file of so many bytes from how it starts.

    Raises:
        SourceError: It is of no known kind, or promises more than there is.
    """
    head = io.BytesIO(start)
    version = np.lib.format.read_magic(head)
    if version not in _HEADERS:
        raise SourceError(f"{label} has the npy version {version}, which is not known", _REMEDY)
    shape, fortran, dtype = _HEADERS[version](head)
    if dtype.hasobject:
        raise SourceError(f"{label} holds Python objects, which are not read", _REMEDY)
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise SourceError(f"{label} holds entries of the type {dtype}, which are not read", _REMEDY)
    wanted, held = math.prod(shape) * dtype.itemsize, size - head.tell()
    if len(shape) > MOST_AXES:
        raise SourceError(f"{label} has {len(shape)} axes; at most {MOST_AXES} are read", _REMEDY)
    if min(shape, default=0) < 0 or wanted > held:
        numbers = " by ".join(f"{length:,}" for length in shape)
        raise SourceError(
            f"{label} is said to have {numbers} entries in its header, and has {held:,} bytes of "
            "them",
            "write the file once more",
        )
    return _Header(shape, dtype, "F" if fortran else "C", head.tell())
