"""The folder that results are written to: all of them or none, and nothing of the user's is lost.

Everything is first written into a hidden folder. A folder that is new gets its name at the end. In
one that exists, the hidden folder is renamed to `_NEW`, from which moment on the new results count,
and its files are moved into place one by one. If the process is killed on the way, whoever opens
the folder next moves the rest. `_MANIFEST` holds the hash of each file that was written: a file
with another content, or that it does not name, is the user's. Such a file is never overwritten: it
stays, under another name if need be.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType

from compiler.diagnostics import Diagnostics, SpecError
from compiler.files import UnreadableError, read_text
from compiler.writing import write_whole

if sys.platform != "win32":
    import fcntl

SETTINGS_FILE = "settings.json"
MARK = {"written_by": "pplc"}
"""What the settings hold, for the folder to be known as the output of a fit."""

_MANIFEST = ".pplc.json"
_NEW = ".pplc-new"
_HIDDEN = ".pplc-"
_MOST_SETTINGS = 100_000_000
"""Bytes beyond which a file is none that holds settings."""

_PATIENCE = 10.0
"""Seconds to wait for another process, which may have been stopped, that has the folder open."""


class OutputFolder:
    """A folder to be written, as a context manager.

    Entering it makes sure that it can be written, by making the hidden folder; leaving it removes
    that folder if it is still there.

    Args:
        path: The folder.
        diagnostics: Where to report why it cannot be written.

    Attributes:
        notes: What the user should know about what was written, a sentence each.
    """

    def __init__(self, path: Path, diagnostics: Diagnostics) -> None:
        self.path = path
        self.notes: tuple[str, ...] = ()
        self._diagnostics = diagnostics
        self._work: Path | None = None
        self._held: int | None = None
        self._made: list[Path] = []

    def __enter__(self) -> OutputFolder:
        """Check that the folder can be written.

        Raises:
            SpecError: It cannot, or holds something that is not the output of a fit.
        """
        try:
            self._prepare()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
            self._clean()
            reason = getattr(error, "strerror", None) or error
            self._refuse(
                f"the output folder {self.path} cannot be written: {reason}",
                "give another one with --out",
            )
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clean()

    def write(self, write_files: Callable[[Path], None]) -> Path:
        """Write the files, and put them into their place.

        Args:
            write_files: Writes all of them into the folder that it is given.

        Returns:
            The folder.

        Raises:
            SpecError: The disk is full, or the like; the folder is as it was before.
        """
        try:
            if self._work is None or not self._work.is_dir():  # somebody has tidied up
                self._clean()
                self._prepare()
            assert self._work is not None
            write_files(self._work)
            files = [path for path in self._work.iterdir() if path.name != _MANIFEST]
            _write_manifest(self._work, {path.name: _hash(path) for path in files})
            self._put_in_place(self._work)
        except OSError as error:
            self._refuse(
                f"the output folder {self.path} cannot be written: {error.strerror or error}",
                "make room, or give another one with --out",
            )
        return self.path

    def _prepare(self) -> None:
        """Make the hidden folder: in the folder if there is one, else beside its place."""
        self._target = self.path.resolve()
        if self._target.exists():
            with settled(self._target):
                writable = _may_be_written(self._target)
            if not writable:
                kind = "a folder of other things" if self._target.is_dir() else "a file"
                self._refuse(
                    f"the output folder {self.path} exists, and is {kind}",
                    "give another one with --out, or remove it",
                )
            place, prefix = self._target, _HIDDEN
        else:
            place, prefix = self._target.parent, f".{self._target.name[:50]}-"
            self._made = [p for p in (place, *place.parents) if not p.exists()]
            place.mkdir(parents=True, exist_ok=True)
        _sweep(place, prefix)
        self._work = place / f"{prefix}{secrets.token_hex(4)}"
        self._work.mkdir()
        self._held = _lock(self._work)
        (self._work / _MANIFEST).touch()

    def _put_in_place(self, work: Path) -> None:
        if work.parent != self._target:
            try:
                work.rename(self._target)
            except OSError:
                if not self._target.exists():
                    raise
                work = self._work = self._moved(work)
        if work.parent == self._target:
            kept = _replaced(self._target, work)
            self.notes = tuple(
                f"{before} in {self.path} had been changed; it is kept as {now}"
                for before, now in kept.items()
            )
        self._work, self._made = None, []

    def _moved(self, work: Path) -> Path:
        """Move the hidden folder where the folder's place was taken during the fit.

        A folder that was made in the meantime is written into, beside what it holds.

        Returns:
            Where the hidden folder is now: within that folder, or under another name for good.
        """
        if self._target.is_dir():
            return work.rename(self._target / f"{_HIDDEN}{secrets.token_hex(4)}")
        free = _free(self._target)
        self.notes = (f"{self.path} has become a file, so {free.name} was written",)
        self.path = self.path.with_name(free.name)
        return work.rename(free)

    def _clean(self) -> None:
        """Remove the hidden folder, and the folders above it that were made for it."""
        if self._work is not None:
            try:
                shutil.rmtree(self._work, ignore_errors=True)
            except BaseException:  # interrupted: once more
                shutil.rmtree(self._work, ignore_errors=True)
                raise
        for folder in self._made:
            with suppress(OSError):  # others use it
                folder.rmdir()
        if self._held is not None:
            os.close(self._held)
        self._work, self._held, self._made = None, None, []

    def _refuse(self, message: str, remedy: str) -> None:
        self._diagnostics.report("PPL098", None, message, remedy)
        raise SpecError(self._diagnostics)


@contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Keep a folder as it is while it is read, with all files of the last fit in their place.

    Raises:
        OSError: The process that wrote them was killed on the way, and the rest cannot be moved.
    """
    handle = _lock(folder, _PATIENCE)
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
            (folder / name).rename(_free(folder / name))
        write_whole(folder / name, data)
        _write_manifest(folder, {**hashes, name: coming})


def is_fit_folder(folder: Path) -> bool:
    """Whether a folder is the output of a fit."""
    try:
        content = json.loads(read_text(folder / SETTINGS_FILE, _MOST_SETTINGS))
    except (UnreadableError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.items() >= MARK.items()


def default_folder(path: str, name: str, suffix: str = "fit") -> Path:
    """Return where the output of a spec goes: `STEM-fit` in the working directory.

    Args:
        path: The spec's file.
        name: The model's name, for a spec that has no file.
        suffix: What comes after the dash.
    """
    return Path(f"{name if path.startswith('<') else Path(path).stem}-{suffix}")


def _may_be_written(folder: Path) -> bool:
    """Whether results may go into a folder: it is empty, or the output of a fit."""
    if not folder.is_dir():
        return False
    foreign = (path for path in folder.iterdir() if not path.name.startswith(_HIDDEN))
    return not any(foreign) or is_fit_folder(folder)


def _replaced(folder: Path, work: Path) -> dict[str, str]:
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
    """Move the files of `_NEW`, if it is there, into their place; as `_replaced` otherwise.

    It can be killed at any moment and begun again. The manifest comes last.
    """
    new = folder / _NEW
    if new.is_symlink() or not new.is_dir():
        return {}
    kept = {}
    if (new / _MANIFEST).exists():
        old, coming = _manifest(folder), _manifest(new)
        for path in new.iterdir():
            place = folder / path.name
            if path.name == _MANIFEST:
                continue
            if _is_the_user_s(place, old.get(path.name), coming.get(path.name)):
                free = _free(place)
                place.rename(free)
                kept[place.name] = free.name
            path.replace(place)
        for name in old.keys() - coming.keys():
            if not _is_the_user_s(folder / name, old[name]):
                (folder / name).unlink(missing_ok=True)
        (new / _MANIFEST).replace(folder / _MANIFEST)
    new.rmdir()
    return kept


def _is_the_user_s(path: Path, *hashes: str | None) -> bool:
    """Whether something is there that has none of the contents that we write."""
    if not os.path.lexists(path):
        return False
    return path.is_symlink() or not path.is_file() or _hash(path) not in hashes


def _free(path: Path) -> Path:
    """Return a name beside a path, made of its own, under which nothing is: `chosen-2.ppl`."""
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(name for name in names if not os.path.lexists(name))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(folder: Path) -> dict[str, str]:
    """Return the hash of each file of the fit in a folder, by name; empty where none is known."""
    try:
        told = json.loads((folder / _MANIFEST).read_bytes())
        return {str(name): str(told[name]) for name in told if Path(name).name == name}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _write_manifest(folder: Path, hashes: Mapping[str, str]) -> None:
    write_whole(folder / _MANIFEST, json.dumps(hashes, indent=1).encode())


def _sweep(place: Path, prefix: str) -> None:
    """Remove the hidden folders of processes that were killed: their manifest is empty."""
    with suppress(OSError):
        for path in place.iterdir():
            if not path.name.startswith(prefix) or path.is_symlink() or not path.is_dir():
                continue
            if (path / _MANIFEST).exists() and not _manifest(path):
                handle = _lock(path)
                if handle is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(handle)


def _lock(folder: Path, patience: float = 0.0) -> int | None:
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
