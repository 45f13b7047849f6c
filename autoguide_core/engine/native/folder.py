"""Where compiled code is kept on this machine, and how much of it.

Compiled code is run by whoever finds it, so a folder that others can write to, or put another in
the place of, is not used.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import stat
import sys
import tempfile
from pathlib import Path

if sys.platform != "win32":
    import grp

DEFAULT_LIMIT = 500_000_000
"""Bytes that the cache may take."""

_UNITS = {"": 10**6, "K": 10**3, "M": 10**6, "G": 10**9}

_NOBODY = 65534
"""The owner that a container shows for what belongs to users outside it, such as their root."""


def configured_folder() -> Path:
    """Return `$PPLC_CACHE_DIR`, or else the folder for caches that this system has for the user.

    Raises:
        RuntimeError: The user has no home.
    """
    if chosen := os.environ.get("PPLC_CACHE_DIR"):
        return Path(os.path.abspath(Path(chosen).expanduser()))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pplc"
    # Relative paths are void in both variables.
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    base = Path(os.environ.get(variable, ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "pplc"


def configured_limit() -> tuple[int, str]:
    """Return the bytes that `$PPLC_CACHE_SIZE` allows (`2GB`, `300 MB`, `300`), and a note.

    The note is empty unless the value cannot be read, which leaves the default in place.
    """
    text = os.environ.get("PPLC_CACHE_SIZE", "").strip()
    if not text:
        return DEFAULT_LIMIT, ""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.upper())
    if found is None:
        return DEFAULT_LIMIT, (
            f"PPLC_CACHE_SIZE={text} is not a size such as 300MB or 2GB; "
            f"the limit is {DEFAULT_LIMIT // 10**6} MB."
        )
    return int(float(found[1]) * _UNITS[found[2]]), ""


def usable_folder() -> tuple[Path, str]:
    """Return the folder to keep compiled code in, and a note.

    The note is empty where it is the configured folder; else it says why that one is not used, and
    the folder is one of this process alone.
    """
    try:
        folder = configured_folder().resolve()  # a link that is changed later is not followed
    except (RuntimeError, OSError):
        problem = "There is no home folder"
    else:
        problem = _made(folder) or why_unusable(folder)
        if not problem:
            return folder, ""
    note = f"{problem}; compiled code is kept for this run only (PPLC_CACHE_DIR names a folder)."
    return private_folder(), note


def why_unusable(folder: Path) -> str:
    """Return why compiled code cannot be kept in a folder that is there; empty if it can."""
    folder = folder.resolve()
    if not folder.is_dir():
        return f"The cache {folder} is not a folder"
    if sys.platform != "win32":
        if folder.stat().st_uid != os.geteuid():
            return f"The cache folder {folder} belongs to another user"
        for place in (folder, *folder.parents):
            if who := _who_else_writes(place, above=place != folder):
                above = "" if place == folder else f"{place}, which holds "
                return f"{who} can write to {above}the cache folder {folder}"
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return f"The cache folder {folder} cannot be written to"
    return ""


def private_folder() -> Path:
    """Return a folder of this process, removed when it ends."""
    return _folder_of(os.getpid())


def _who_else_writes(place: Path, *, above: bool) -> str:
    """Return who else can change what is in a folder; empty if nobody can.

    Of a folder above the cache it matters who can put another folder in the place of the user's:
    its owner can, and whoever can write to it, but for a shared one such as /tmp, and for a group
    that is the user's alone.
    """
    status = place.stat()
    if above and status.st_uid not in (0, os.geteuid(), _NOBODY):
        return "Another user"
    if above and status.st_mode & stat.S_ISVTX:
        return ""
    if status.st_mode & stat.S_IWOTH:
        return "Every user"
    if status.st_mode & stat.S_IWGRP and not (above and _is_own(status.st_gid)):
        return "A group of users"
    return ""


def _is_own(group: int) -> bool:
    """Whether a group is the one that many systems make for each user."""
    try:
        return group == os.geteuid() and not grp.getgrgid(group).gr_mem
    except KeyError:
        return False


def _made(folder: Path) -> str:
    """Make a folder if need be, for its user alone; return why it cannot be made."""
    try:
        for place in (*reversed(folder.parents), folder):
            if not place.exists():
                place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        return f"The cache folder {folder} cannot be made ({error.strerror})"
    return ""


@functools.cache
def _folder_of(process: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="pplc-"))

    def remove() -> None:
        if os.getpid() == process:  # a forked child runs this, too
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
