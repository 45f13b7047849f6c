"""A lock between processes, which falls when its holder dies."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class Lock:
    """Held by at most one process of those that name the same file.

    Where a file system knows no locks (and on Windows) everybody gets it: it must only save work,
    never be needed for correctness.

    Args:
        path: The lock's file; it exists while the lock is held.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; never waits.

        Raises:
            OSError: The file cannot be made.
        """
        if sys.platform == "win32":
            return True
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return False
            except OSError:  # no locks here
                os.close(handle)
                return True
            if self._names(handle):
                self._handle = handle
                return True
            os.close(handle)  # its holder has removed it in between: the file is no longer the lock

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held."""
        if self._handle is None:
            return
        with suppress(OSError):  # first of all: whoever gets this file's lock sees that it is gone
            self._path.unlink()
        os.close(self._handle)
        self._handle = None

    def _names(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False
