"""What native code of this machine relies on: the processor and the C library."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import sys
from contextlib import suppress

_BEGINNING = 16_000
"""Characters of /proc/cpuinfo to read: all of it takes long where there are hundreds of cores."""

_TELLING = {
    *("vendor_id", "cpu family", "model", "model name", "flags"),  # x86
    *("Features", "CPU implementer", "CPU architecture", "CPU variant", "CPU part"),  # ARM
    *("isa", "cpu"),  # RISC-V, POWER
}


@functools.cache
def host() -> str:
    """Return a short hash that differs between machines whose native code may differ."""
    libc = ""
    if sys.platform == "linux":
        with suppress(OSError, ValueError):  # C libraries other than GNU's do not tell
            libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    told = json.dumps([sys.platform, platform.machine(), libc, processor()])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@functools.cache
def processor() -> tuple[str, ...]:
    """Return what Linux tells of the first processor; nothing elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            text = file.read(_BEGINNING)
    except OSError:
        return ()
    lines = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    return tuple(f"{name.strip()}:{value}" for name, _, value in lines if name.strip() in _TELLING)
