"""Compiled libraries on disk, found again by what they depend on.

An entry is three files named by its key: `KEY.so`, its source `KEY.cpp`, and `KEY.json`, which
says what it is and holds the hash of the library. Each is put in place whole, `KEY.json` last, and
goes first: an entry is there if its `KEY.json` is. The time of that file tells when the entry was
last used. What a process that died has left behind is removed an hour later.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autoguide_core.engine.native import evidence
from autoguide_core.engine.native.folder import configured_limit, private_folder, usable_folder
from autoguide_core.engine.native.toolchain import TRIAL

_FORMAT = 1
"""Raised when what an entry consists of changes, so that older ones are no longer found."""

_SUFFIXES = (".json", ".so", ".cpp")
_OURS = re.compile(r"[0-9a-f]{64}\..+")
_MINUTE = 60.0
_HOUR = 3600.0


def key_of(source: str, fingerprint: str) -> str:
    """Return the key of a source, given everything else that its library depends on."""
    hashed = hashlib.sha256(f"{_FORMAT}\n{fingerprint}\n".encode())
    hashed.update(source.encode())
    return hashed.hexdigest()


@dataclass(frozen=True)
class Entry:
    """A library in the cache.

    Attributes:
        key: 64 hexadecimal digits.
        title: What it was compiled for, such as the name of a model.
        kind: What it does.
        size: Bytes of its files.
        created: When it was compiled, in seconds since 1970.
        used: When it was last asked for, likewise.
        seconds: How long the compiler took.
        compiler: The compiler's version.
        proof: ``passed`` or ``failed``: whether it did what the recorded step does, where it was
            used; else empty. See ``evidence``.
    """

    key: str
    title: str
    kind: str
    size: int
    created: float
    used: float
    seconds: float
    compiler: str
    proof: str


class Cache:
    """The libraries in a folder.

    Args:
        folder: The folder; it may be missing, but not where something is to be kept.
        limit: Bytes that it may take; the least recently used entries go first.
        note: What the user should know about the cache; may be empty.
    """

    def __init__(self, folder: Path, limit: int, note: str = "") -> None:
        self.folder = folder
        self.limit = limit
        self.note = note

    def path(self, key: str, suffix: str) -> Path:
        """Return the path of an entry's file, or of one that becomes it."""
        return self.folder / f"{key}{suffix}"

    def find(self, key: str) -> Path | None:
        """Return an entry's library, and count this as a use; None if it is missing or damaged."""
        library, record = self.path(key, ".so"), self.path(key, ".json")
        try:
            known = json.loads(record.read_bytes())["sha256"]
            if hashlib.sha256(library.read_bytes()).hexdigest() != known:
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with suppress(OSError):
            os.utime(record)
        return library

    def keep(
        self,
        key: str,
        built: Path,
        source: Path,
        *,
        title: str,
        kind: str,
        seconds: float,
        compiler: str,
    ) -> Path:
        """Move a library and its source, both in this folder, to their places; return the library.

        Raises:
            OSError: They cannot be moved.
        """
        record = {
            "title": title,
            "kind": kind,
            "created": time.time(),
            "seconds": seconds,
            "compiler": compiler,
            "sha256": hashlib.sha256(built.read_bytes()).hexdigest(),
        }
        draft = built.with_suffix(".json")
        try:
            draft.write_text(json.dumps(record, indent=1), encoding="utf-8")
            for file, suffix in ((source, ".cpp"), (built, ".so"), (draft, ".json")):
                file.replace(self.path(key, suffix))
        except BaseException:  # a full disk, an interrupt
            draft.unlink(missing_ok=True)
            self.remove(key)
            raise
        self._shrink()
        self._sweep()
        return self.path(key, ".so")

    def entries(self) -> list[Entry]:
        """Return what is in the cache, the last used first."""
        found = filter(None, map(self._entry, self._keys()))
        return sorted(found, key=lambda entry: entry.used, reverse=True)

    def remove(self, key: str) -> int:
        """Remove an entry; return the bytes that this freed.

        Processes that have loaded the library keep it: the system frees the file when they end.
        """
        freed = 0
        for suffix in _SUFFIXES:
            path = self.path(key, suffix)
            with suppress(OSError):  # gone already, or (on Windows) loaded
                size = path.stat().st_size
                path.unlink()
                freed += size
        return freed

    def clear(self, unused_for: float = 0.0) -> tuple[int, int]:
        """Remove the entries that were not used for some seconds; return their count and bytes.

        With 0, what is remembered of compilers goes, too.
        """
        freed = [
            self.remove(entry.key)
            for entry in self.entries()
            if time.time() - entry.used >= unused_for
        ]
        if not unused_for:
            for record in self.folder.glob("compiler-*.json"):
                record.unlink(missing_ok=True)
        self._sweep()
        return len(freed), sum(freed)

    def _keys(self) -> Iterator[str]:
        for path in self.folder.glob("*.json"):
            if _OURS.fullmatch(path.name) and len(path.stem) == 64:
                yield path.stem

    def _entry(self, key: str) -> Entry | None:
        record = self.path(key, ".json")
        try:
            told = json.loads(record.read_bytes())
            return Entry(
                key,
                str(told["title"]),
                str(told["kind"]),
                sum(self.path(key, suffix).stat().st_size for suffix in _SUFFIXES),
                float(told["created"]),
                record.stat().st_mtime,
                float(told["seconds"]),
                str(told["compiler"]),
                evidence.verdict(record),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _shrink(self) -> None:
        """Remove the least recently used entries until the rest fits.

        What was used in the last minute stays: a process may be about to load it.
        """
        room = self.limit
        for entry in self.entries():
            room -= entry.size
            if room < 0 and time.time() - entry.used > _MINUTE:
                self.remove(entry.key)

    def _sweep(self) -> None:
        """Remove what belongs to no entry and has not changed for an hour."""
        kept = {f"{key}{suffix}" for key in self._keys() for suffix in _SUFFIXES}
        for path in list(self.folder.glob("*")):
            ours = _OURS.fullmatch(path.name) or path.name.startswith(TRIAL)
            with suppress(OSError):
                if ours and path.name not in kept and time.time() - path.stat().st_mtime > _HOUR:
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()


def open_cache() -> Cache:
    """Return the user's cache, or one of this process alone where that cannot be used."""
    folder, note = usable_folder()
    limit, remark = configured_limit()
    return Cache(folder, limit, " ".join(filter(None, (note, remark))))


def private_cache(reason: str) -> Cache:
    """Return a cache of this process alone, for when the user's has failed for a reason."""
    return Cache(
        private_folder(),
        configured_limit()[0],
        f"The cache failed ({reason}); compiled code is kept for this run only.",
    )
