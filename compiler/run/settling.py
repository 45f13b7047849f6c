"""What is the program's in a folder of results, what the user's, and how one fit replaces another.

`MANIFEST` holds the hash of each file that was written: a file with another content, or that it
does not name, is the user's. Such a file is never overwritten: it stays, under another name if need
be. A hidden folder with new results is renamed to `_NEW`, from which moment on they count, and its
files are moved into place one by one. If the process is killed on the way, whoever opens the folder
next moves the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from compiler.files import UnreadableError, read_text
from compiler.writing import write_whole

if sys.platform != "win32":
    import fcntl

MANIFEST = ".pplc.json"
_NEW = ".pplc-new"
_MOST_HASHES = 1_000_000
"""Bytes beyond which a file is no manifest."""

_PATIENCE = 10.0
"""Seconds to wait for another process, which may have been stopped, that has the folder open."""


@contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Keep a folder as it is while it is read, with all files of the last fit in their place.

    Raises:
        OSError: The process that wrote them was killed on the way, and the rest cannot be moved.
    """
    handle = lock(folder, _PATIENCE)
    try:
        _finish(folder)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def add_file(folder: Path, name: str, data: bytes) -> None:
    """Write one more file into the folder of a fit.

    Raises:
        OSError: It cannot be written.
    """
    with settled(folder):
        hashes = _manifest(folder)
        coming = hashlib.sha256(data).hexdigest()
        if _is_the_user_s(folder / name, hashes.get(name), coming):
            (folder / name).rename(free(folder / name))
        write_whole(folder / name, data)
        write_manifest(folder, {**hashes, name: coming})


def replaced(folder: Path, work: Path) -> dict[str, str]:
    """Put the files of a hidden folder within a folder in place of those of the last fit.

    Returns:
        The files that are the user's and were in the way, with the names that they have now.
    """
    with settled(folder):
        try:
            work.rename(folder / _NEW)
            return _finish(folder)
        except BaseException:  # an interrupt is no reason to stop half-way
            _finish(folder)
            raise


def _finish(folder: Path) -> dict[str, str]:
    """Move the files of `_NEW`, if it is there, into their place; as `replaced` otherwise.

    It can be killed at any moment and begun again. The manifest comes last.
    """
    new = folder / _NEW
    if new.is_symlink() or not new.is_dir():
        return {}
    kept = {}
    if (new / MANIFEST).exists():
        old, coming = _manifest(folder), _manifest(new)
        for path in new.iterdir():
            place = folder / path.name
            if path.name == MANIFEST:
                continue
            if _is_the_user_s(place, old.get(path.name), coming.get(path.name)):
                elsewhere = free(place)
                place.rename(elsewhere)
                kept[place.name] = elsewhere.name
            path.replace(place)
        for name in old.keys() - coming.keys():
            if not _is_the_user_s(folder / name, old[name]):
                (folder / name).unlink(missing_ok=True)
        (new / MANIFEST).replace(folder / MANIFEST)
    new.rmdir()
    return kept


def _is_the_user_s(path: Path, *hashes: str | None) -> bool:
    """Whether something is there that has none of the contents that we write."""
    if not os.path.lexists(path):
        return False
    return path.is_symlink() or not path.is_file() or hash_of(path) not in hashes


def free(path: Path) -> Path:
    """Return a name beside a path, made of its own, under which nothing is: `chosen-2.ppl`."""
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(name for name in names if not os.path.lexists(name))


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(folder: Path) -> dict[str, str]:
    """Return the hash of each file of the fit in a folder, by name; empty where none is known."""
    try:
        told = json.loads(read_text(folder / MANIFEST, _MOST_HASHES))
        return {str(name): str(told[name]) for name in told if Path(name).name == name}
    except (UnreadableError, ValueError, TypeError, RecursionError):
        return {}


def write_manifest(folder: Path, hashes: Mapping[str, str]) -> None:
    """Write down the hash of each file of a fit, by name."""
    write_whole(folder / MANIFEST, json.dumps(hashes, indent=1).encode())


def sweep(place: Path, prefix: str) -> None:
    """Remove the hidden folders of processes that were killed: their manifest is empty."""
    with suppress(OSError):
        for path in place.iterdir():
            if not path.name.startswith(prefix) or path.is_symlink() or not path.is_dir():
                continue
            if (path / MANIFEST).exists() and not _manifest(path):
                handle = lock(path)
                if handle is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(handle)


def lock(folder: Path, patience: float = 0.0) -> int | None:
    """Lock a folder among processes; closing what is returned unlocks it.

    Returns:
        None where it is locked for longer than these seconds, or the file system has no locks.
    """
    if sys.platform == "win32":
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    end = time.monotonic() + patience
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return handle
            except BlockingIOError:
                if time.monotonic() > end:
                    break
                time.sleep(0.01)
    except OSError:
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None
