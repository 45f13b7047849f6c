"""How much memory this process can have, and whether an error says that there was not enough."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_GIB = 1024**3
_SWAP = "SwapTotal:"
_OF_TORCH = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "Storage size calculation overflowed",
    "numel: integer multiplication overflow",
    "array is too big",
    "Maximum allowed size exceeded",
    "Maximum allowed dimension exceeded",
)
"""How torch and numpy say, in a RuntimeError or ValueError, that an array has no room."""

_OF_IMPORTS = ("failed to map segment", "cannot allocate memory", "Cannot allocate memory")
"""How it is said, in an ImportError or OSError, that a library has no room."""


def most_memory() -> int | None:
    """Return the bytes that this process could have if it were alone; None where nobody says."""
    found = [_physical(), _of_container(), *_of_process()]
    known = [limit for limit in found if limit is not None]
    return min(known) if known else None


def is_too_much(size: int) -> bool:
    """Whether arrays of so many bytes cannot be held."""
    limit = most_memory()
    return limit is not None and size > limit


def in_words(size: int) -> str:
    """Return a number of bytes as people read it: 1.5 GiB, 800 TiB."""
    amount = size / _GIB
    for unit in ("GiB", "TiB", "PiB"):
        if amount < 1024:
            return f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.3g} EiB"


def room() -> str:
    """Return how much memory there is, to end a sentence with."""
    limit = most_memory()
    return "there is less" if limit is None else f"{in_words(limit)} can be had"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what it came from, says that an array has no room in memory."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return True
        if isinstance(cause, RuntimeError | ValueError) and any(w in str(cause) for w in _OF_TORCH):
            return True
        if isinstance(cause, ImportError | OSError) and any(w in str(cause) for w in _OF_IMPORTS):
            return True
        cause = cause.__cause__
    return False


def _physical() -> int | None:
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    return memory + _swap()


def _swap() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_SWAP))


def _of_container() -> int | None:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            words = (Path("/sys/fs/cgroup") / name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        return int(words) if words.isdecimal() else None
    return None


def _of_process() -> list[int | None]:
    if resource is None:
        return []
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return [None if limit == resource.RLIM_INFINITY else limit for limit in limits]
