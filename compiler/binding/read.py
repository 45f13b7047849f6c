"""Reads every source of data, in whichever of the known forms it comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from compiler.binding.read_arrays import read_folder, read_npy, read_npz
from compiler.binding.read_json import read_json
from compiler.binding.read_memory import read_memory
from compiler.binding.read_tables import read_arrow, read_csv, read_parquet
from compiler.binding.sources import Source, SourceError
from compiler.diagnostics import Diagnostics

MAX_BYTES = 2 * 1024**3
"""The largest file that is read as a whole; those that can be mapped may be larger."""

_BY_SUFFIX: dict[str, Callable[[Path], Source]] = {
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
_MAPPED: dict[bytes, Callable[[Path], Source]] = {b"\x93NUMPY": read_npy, b"ARROW1": read_arrow}
"""Forms that are read from where they lie, however large, by their first bytes."""

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
            read.append(read_file(Path(source)) if _is_path(source) else read_memory(source))
        except SourceError as error:
            diagnostics.report("PPL090", None, error.message, error.remedy)
    return tuple(read)


def _is_path(source: Any) -> bool:
    return isinstance(source, str | os.PathLike)


def _listed(sources: Any) -> Iterable[Any]:
    if sources is None:
        return ()
    return sources if isinstance(sources, list | tuple) else (sources,)


def read_file(path: Path) -> Source:
    """Read one file by its suffix, or by its first bytes where the suffix tells another story.

    A folder is read for its npy files.

    Raises:
        SourceError: It is not there, cannot be opened, is too large, or is of no known form.
    """
    if path.is_dir():
        return read_folder(path)
    start = _first_bytes(path)
    reader = _sniff(path, start)
    suffix = path.suffix.lower()
    if reader is None and suffix in _BINARY:
        raise SourceError(
            f"{path} is named {suffix} but is not such a file",
            f"give the data as {_FORMS}, with a name that says which",
        )
    reader = reader or _BY_SUFFIX.get(suffix)
    if reader is None:
        reader = read_json if start.lstrip()[:1] in (b"{", b"[") else read_csv
    return reader(path)


def _first_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(4096)
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist", _similar(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{path} cannot be read: {reason}", "check its permissions") from None
    if size == 0:
        raise SourceError(f"{path} is empty", "give a file with data in it")
    if size > MAX_BYTES and not start.startswith(tuple(_MAPPED)):
        raise SourceError(
            f"{path} has {size / 1024**3:.1f} GiB; at most {MAX_BYTES // 1024**3} GiB are read",
            "save the columns that the spec uses as .npy or .arrow, which need not be read whole",
        )
    return start


def _sniff(path: Path, start: bytes) -> Callable[[Path], Source] | None:
    for magic, mapped in _MAPPED.items():
        if start.startswith(magic):
            return mapped
    if start.startswith(b"PAR1"):
        return read_parquet
    if start.startswith(b"PK\x03\x04"):
        return read_npz
    for magic, what in ((b"\x1f\x8b", "gzip-compressed"), (b"BZh", "bzip2-compressed")):
        if start.startswith(magic):
            raise SourceError(f"{path} is {what}", "unpack it first")
    if b"\x00" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(
            f"{path} is a binary file of a kind that is not known", f"give the data as {_FORMS}"
        )
    return None


def _similar(path: Path) -> str:
    from compiler.diagnostics import did_you_mean

    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return f"the folder {path.parent} does not exist either; check the path"
    close = did_you_mean(path.name, names)
    return f"did you mean {path.parent / close}?" if close else "check the path"
