"""Opens the files that a user names: regular ones only, and never waiting for one."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_BLOCK = 2**16
"""Bytes to read at a time where it is not known how many there are."""

_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class UnreadableError(Exception):
    """A path at which there is no file that can be read.

    Attributes:
        reason: Why, to go on from the path with: `does not exist`, `is a pipe`.
        missing: Whether there is nothing at all.
        kind: What is there instead of a file: `a folder`, `a pipe`, `a socket`, `a device`; None
            where that is not the reason.
    """

    def __init__(self, reason: str, *, missing: bool = False, kind: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing = missing
        self.kind = kind


def open_file(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file for reading.

    Pipes, devices, sockets and folders are refused without being opened: one without an end, or
    without a writer, would never be read.

    Raises:
        UnreadableError: There is no such file.
    """
    try:
        _refuse_kind(os.stat(path))
        descriptor = os.open(path, _AT_ONCE)  # what has taken its place since does not block
        try:
            _refuse_kind(os.fstat(descriptor))
            return open(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except FileNotFoundError:
        raise UnreadableError("does not exist", missing=True) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadableError(f"cannot be read: {_words(error)}") from None


def read_up_to(path: str | os.PathLike[str], most: int) -> bytes:
    """Return what a regular file holds, or of a larger one its first `most + 1` bytes.

    Raises:
        UnreadableError: There is no such file, or reading it fails.
    """
    try:
        with open_file(path) as file:
            return read_start(file, most, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {_words(error)}") from None


def read_start(file: BinaryIO, most: int, likely: int = 0) -> bytes:
    """Return what is left of an open file, or the first `most + 1` bytes of it.

    Python takes memory for all bytes that a read asks for, be the file ever so small; so no more is
    asked for than there are likely to be.
    """
    parts, left = [], most + 1
    while left > 0 and (part := file.read(min(left, max(likely, _BLOCK)))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_text(path: str | os.PathLike[str], most: int) -> str:
    """Return the text of a regular file.

    Raises:
        UnreadableError: There is no such file, it has more than `most` bytes, or is not UTF-8.
    """
    content = read_up_to(path, most)
    if len(content) > most:
        raise UnreadableError(f"has more than {most:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"is not UTF-8 text (byte {error.start})") from None


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as text that every file can hold: bytes that are no text become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _refuse_kind(found: os.stat_result) -> None:
    for is_kind, kind in _KINDS:
        if is_kind(found.st_mode):
            raise UnreadableError(f"is {kind}", kind=kind)


def _words(error: OSError | ValueError) -> str:
    words = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return words[:1].lower() + words[1:]
