"""The folder that results are written to: all of them or none.

Everything is first written into a hidden folder. A folder that is new gets its name at the end; one
that exists gets the files (see `settling`).
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from compiler.diagnostics import Diagnostics, SpecError
from compiler.files import UnreadableError, read_text
from compiler.run.settling import (
    MANIFEST,
    free,
    hash_of,
    lock,
    replaced,
    settled,
    sweep,
    write_manifest,
)

SETTINGS_FILE = "settings.json"
MARK = {"written_by": "pplc"}
"""What the settings hold, for the folder to be known as the output of a fit."""

_HIDDEN = ".pplc-"
_IN_MEMORY = Path("/dev/shm")
_MOST_SETTINGS = 100_000_000
"""Bytes beyond which a file is none that holds settings."""


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
            SpecError: The disk is full, or the like; the folder is as it was before. The error
                names another folder that was written in its place, where there is room for one.
        """
        try:
            self._write(write_files)
        except OSError as error:
            message = f"the output folder {self.path} cannot be written: {error.strerror or error}"
            self._clean()  # makes room
            elsewhere = _written_elsewhere(write_files, self._target.name, self._diagnostics)
            if elsewhere is None:
                self._refuse(message, "make room, or give another one with --out")
            self._refuse(
                f"{message}; the results are in {elsewhere}",
                "make room, then move that folder to where it belongs",
            )
        return self.path

    def _write(self, write_files: Callable[[Path], None]) -> None:
        """Write the files as `write` does; an OSError is left to the caller."""
        if self._work is None or not self._work.is_dir():  # somebody has tidied up
            self._clean()
            self._prepare()
        assert self._work is not None
        write_files(self._work)
        files = [path for path in self._work.iterdir() if path.name != MANIFEST]
        write_manifest(self._work, {path.name: hash_of(path) for path in files})
        self._put_in_place(self._work)

    def _prepare(self) -> None:
        """Make the hidden folder: in the folder if there is one, else beside its place."""
        self._target = self.path.resolve()
        if self._target.exists():
            with settled(self._target):
                writable = _may_be_written(self._target)
            if not writable:
                kind = "a folder of other things" if self._target.is_dir() else "a file"
                raise FileExistsError(errno.EEXIST, f"it exists, and is {kind}")
            place, prefix = self._target, _HIDDEN
        else:
            place, prefix = self._target.parent, f".{self._target.name[:50]}-"
            self._made = [p for p in (place, *place.parents) if not p.exists()]
            place.mkdir(parents=True, exist_ok=True)
        sweep(place, prefix)
        self._work = place / f"{prefix}{secrets.token_hex(4)}"
        self._work.mkdir()
        self._held = lock(self._work)
        (self._work / MANIFEST).touch()

    def _put_in_place(self, work: Path) -> None:
        if work.parent != self._target:
            try:
                work.rename(self._target)
            except OSError:
                if not self._target.exists():
                    raise
                work = self._work = self._moved(work)
        if work.parent == self._target:
            kept = replaced(self._target, work)
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
        elsewhere = free(self._target)
        self.notes = (f"{self.path} has become a file, so {elsewhere.name} was written",)
        self.path = self.path.with_name(elsewhere.name)
        return work.rename(elsewhere)

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


def _written_elsewhere(
    write_files: Callable[[Path], None], name: str, diagnostics: Diagnostics
) -> Path | None:
    """Write the files into a new folder wherever there is room, so that no long fit is lost.

    Only the user can read it, as others may use the same place.

    Returns:
        The folder; None where there is no room anywhere.
    """
    for place in (tempfile.gettempdir, Path.cwd, Path.home, lambda: _IN_MEMORY):
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{name[:50]}-", dir=place()))
            with OutputFolder(folder, diagnostics) as output:
                output._write(write_files)
            return folder
        except (OSError, RuntimeError, SpecError):  # there is no home, or no room
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
    return None


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
