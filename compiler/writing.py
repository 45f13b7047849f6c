"""Writing a file whole: readers see the old content or the new, never a part."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, or leave what is there as it is.

    A link is followed, and an existing file's permissions are kept. A terminal, a pipe or a device
    such as /dev/null is written to, not replaced.

    Raises:
        OSError: It cannot be written.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    mode = target.stat().st_mode & 0o777 if target.exists() else None
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    fresh = target.with_name(f".pplc-{os.urandom(4).hex()}")
    try:
        with fresh.open("xb") as file:
            file.write(data)
        if mode is not None:
            fresh.chmod(mode)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
