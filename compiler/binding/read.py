"""Reads every source of data, in whichever of the known forms it comes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from compiler.binding.read_arrays import read_npy, read_npz
from compiler.binding.read_json import read_json
from compiler.binding.read_memory import read_memory
from compiler.binding.read_tables import read_arrow, read_csv, read_parquet
from compiler.binding.snapshot import Watched, mapped
from compiler.binding.sources import Content, Source, SourceError, reading
from compiler.binding.storable import why_unstorable
from compiler.diagnostics import Diagnostics
from compiler.files import UnreadableError, open_file, read_start, shown

MAX_BYTES = 2 * 1024**3
"""The largest file that is read as a whole; those that can be mapped may be larger."""

MAPPED_FROM = 10_000_000
"""Bytes from which a file is mapped, if its form allows it; a smaller one is read."""

_Reader = Callable[[str, Content], Source]

_BY_SUFFIX: dict[str, _Reader] = {
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".txt": read_csv,
    ".parquet": read_parquet,
    ".pq": read_parquet,
    ".npz": read_npz,
    ".npy": read_npy,
    ".arrow": read_arrow,
    ".feather": read_arrow,
}
_BY_START: dict[bytes, _Reader] = {
    b"\x93NUMPY": read_npy,
    b"ARROW1": read_arrow,
    b"PAR1": read_parquet,
    b"PK\x03\x04": read_npz,
    b"PK\x05\x06": read_npz,  # an archive of nothing
}
_MAPPED = frozenset((read_npy, read_arrow))
"""Forms that are read from where they lie, however large."""

_FORMS = "JSON, CSV, Parquet, Arrow, npz or npy"

_BINARY = (".npz", ".npy", ".parquet", ".pq", ".arrow", ".feather")


def read_sources(sources: Any, diagnostics: Diagnostics) -> tuple[Source, ...]:
    """Read all sources; each that cannot be read is reported.

    Args:
        sources: A file or an object in memory (dict, DataFrame, Dataset), or a list of them;
            None for no data at all.
        diagnostics: Where to report.

    Returns:
        Those that could be read.
    """
    read: list[Source] = []
    for source in _listed(sources):
        try:
            found = read_file(Path(source)) if _is_path(source) else read_memory(source)
            _check_names(found)
            read.append(found)
        except SourceError as error:
            diagnostics.report("PPL090", None, error.message, error.remedy)
    return tuple(read)


def _is_path(source: Any) -> bool:
    return isinstance(source, str | os.PathLike)


def _listed(sources: Any) -> Iterable[Any]:
    if sources is None:
        return ()
    return sources if isinstance(sources, list | tuple) else (sources,)


def _check_names(source: Source) -> None:
    for name in source.columns:
        if problem := why_unstorable(name):
            raise SourceError(
                f"{source.label}: the name {name[:60]!r} holds {problem}", "give it another name"
            )


def read_file(path: Path) -> Source:
    """Read one file by its first bytes, or by its suffix where they tell nothing.

    A folder is read for its npy files.

    Raises:
        SourceError: It is not there, cannot be opened, is too large, or is of no known form.
    """
    label = shown(path)
    try:
        with open_file(path) as file, reading(label, "a file", "check the disk"):
            start = file.read(4096) or b""
            reader = _reader(label, path.suffix.lower(), start)
            content, digest, watched = _content(file, path, start, maps=reader in _MAPPED)
    except UnreadableError as error:
        if error.kind == "a folder":
            return _read_folder(path)
        raise SourceError(f"{label} {error.reason}", _remedy(path, error)) from None
    return replace(reader(label, content), hashes={label: digest}, watched=watched)


def _read_folder(path: Path) -> Source:
    """Read the npy files of a folder: an array a file."""
    files = sorted(path.glob("*.npy"))
    if not files:
        raise SourceError(
            f"{shown(path)} is a folder without .npy files",
            "give the data file itself, or a folder with an array a file",
        )
    sources = [read_file(file) for file in files]
    return Source(
        shown(path),
        {name: column for source in sources for name, column in source.columns.items()},
        hashes={name: digest for source in sources for name, digest in source.hashes.items()},
        watched=tuple(one for source in sources for one in source.watched),
    )


def _remedy(path: Path, error: UnreadableError) -> str:
    if error.missing:
        return _similar(path)
    if error.kind == "a pipe":
        return "write what comes through it to a file, and give that"
    return "give the data file itself" if error.kind else "check the path and its permissions"


def _content(
    file: BufferedReader, path: Path, start: bytes, *, maps: bool
) -> tuple[Content, str, tuple[Watched, ...]]:
    """Return what is in a file, its SHA-256, and the file itself if it is read while a fit runs."""
    size = os.fstat(file.fileno()).st_size
    if maps and size >= MAPPED_FROM:
        memory, digest, watched = mapped(file, path)
        return memory, digest, () if watched is None else (watched,)
    content = start + read_start(file, MAX_BYTES - len(start), size)
    if not content:
        raise SourceError(f"{shown(path)} is empty", "give a file with data in it")
    if len(content) > MAX_BYTES:
        raise SourceError(
            f"{shown(path)} has {size / 1024**3:.1f} GiB; at most {MAX_BYTES // 1024**3} GiB are "
            "read",
            "save the columns that the spec uses as .npy or .arrow, which need not be read whole",
        )
    return content, hashlib.sha256(content).hexdigest(), ()


def _reader(label: str, suffix: str, start: bytes) -> _Reader:
    for magic, reader in _BY_START.items():
        if start.startswith(magic):
            return reader
    for magic, what in ((b"\x1f\x8b", "gzip-compressed"), (b"BZh", "bzip2-compressed")):
        if start.startswith(magic):
            raise SourceError(f"{label} is {what}", "unpack it first")
    if b"\x00" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(
            f"{label} is a binary file of a kind that is not known", f"give the data as {_FORMS}"
        )
    if suffix in _BINARY and start:
        raise SourceError(
            f"{label} is named {suffix} but is not such a file",
            f"give the data as {_FORMS}, with a name that says which",
        )
    likely = read_json if start.lstrip()[:1] in (b"{", b"[") else read_csv
    return _BY_SUFFIX.get(suffix, likely)


def _similar(path: Path) -> str:
    from compiler.diagnostics import did_you_mean

    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return f"the folder {shown(path.parent)} does not exist either; check the path"
    close = did_you_mean(path.name, names)
    return f"did you mean {shown(path.parent / close)}?" if close else "check the path"
