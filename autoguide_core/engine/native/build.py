"""A running compiler, and the files that it works on."""

from __future__ import annotations

import math
import os
import secrets
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from autoguide_core.engine.interrupts import Interrupts
from autoguide_core.engine.native.cache import Cache
from autoguide_core.engine.native.lock import Lock
from autoguide_core.engine.native.toolchain import (
    MOST_OUTPUT,
    Toolchain,
    first_error,
    started,
    stop,
)

_LONGEST = 900.0
"""Seconds after which a compiler is taken to hang; large sources take some minutes."""


class Build:
    """A running compiler, and its files.

    Args:
        cache: Where to compile.
        key: How the library will be called.
        source: The C++.
        toolchain: The compiler.
        lock: Held until the build is discarded.

    Raises:
        OSError: The source cannot be written, or the compiler not be started.
    """

    def __init__(
        self, cache: Cache, key: str, source: str, toolchain: Toolchain, lock: Lock
    ) -> None:
        name = f".{os.getpid()}-{secrets.token_hex(4)}"
        self.source = cache.path(key, f"{name}.cpp")
        self.library = cache.path(key, f"{name}.so")
        self._began = time.time()
        self._late = False
        try:
            self._messages = tempfile.TemporaryFile(dir=cache.folder)  # noqa: SIM115
            try:
                self.source.write_text(source, encoding="utf-8")
                self._process = started(
                    toolchain.arguments(self.source, self.library, len(source.encode())),
                    self._messages,
                )
            except OSError:
                self._messages.close()
                self.source.unlink(missing_ok=True)
                raise
        except OSError:
            lock.release()
            raise
        self.discard = weakref.finalize(
            self,
            _discard,
            self._process,
            self._messages,
            (self.source, self.library),
            lock,
            os.getpid(),
        )

    def ended(self) -> bool:
        """Tell whether the compiler has ended; one that takes too long is stopped."""
        if self._process.poll() is None and self._left() <= 0:
            self._late = True
            stop(self._process)
        return self._process.poll() is not None

    def wait(self) -> None:
        """Wait until the compiler has ended, or has taken too long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(self._left(), 0.0))

    def _left(self) -> float:
        return self._began + _LONGEST - time.time()

    def problem(self) -> str:
        """Return why the compiler, which has ended, refused the source; empty if it did not."""
        self._messages.seek(0)
        output = self._messages.read(MOST_OUTPUT).decode(errors="replace")
        code = self._process.returncode
        if self._late:
            return f"it did not end within {_LONGEST:g} s"
        if code < 0:
            return f"it was ended by signal {-code}"
        return first_error(output) if code else ""

    def seconds(self) -> float:
        """Return how long it took until the library was written, however late one asks."""
        return max(self.library.stat().st_mtime - self._began, 0.0)


def _discard(
    process: subprocess.Popen[bytes],
    messages: IO[bytes],
    files: Sequence[Path],
    lock: Lock,
    owner: int,
) -> None:
    """Stop a build if it still runs, and remove its files; in the process that began it only."""
    if os.getpid() != owner:
        return
    with Interrupts(patience=math.inf):
        stop(process)
        messages.close()
        for file in files:
            with suppress(OSError):
                file.unlink()
        lock.release()
