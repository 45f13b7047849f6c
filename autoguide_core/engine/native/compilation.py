"""Compiling C++ in the background.

A process of its own compiles, into a file that nobody else knows; only a whole library gets the
name under which it is found. Two processes that want the same library at once: the second waits
for the first.
"""

from __future__ import annotations

import ctypes
import math
import time
from pathlib import Path

from autoguide_core.engine.interrupts import Interrupts
from autoguide_core.engine.native.build import Build
from autoguide_core.engine.native.cache import Cache, key_of, open_cache, private_cache
from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.lock import Lock
from autoguide_core.engine.native.toolchain import CompilerUnavailable, find_toolchain

_PATIENCE = 60.0
"""Seconds to wait for another process, which may have been stopped, before compiling too."""

_BETWEEN_LOOKS = 0.01


class CompileError(NativeUnavailable):
    """The compiler refused a source, or made a library that cannot be loaded."""


def shared_library(source: str, title: str = "", kind: str = "step") -> Path:
    """Return the library of a C++ source: compiled now, or found in the cache.

    Args:
        source: All of the C++; what it includes beyond the standard library is not looked at.
        title: What it is for, such as the name of a model.
        kind: What it does.

    Raises:
        CompilerUnavailable: There is no compiler, or native code is switched off.
        CompileError: The compiler refuses the source.
    """
    return Compilation.start(source, title, kind).result()


class Compilation:
    """A C++ source on its way to a shared library; begun by `start`.

    Attributes:
        note: What the user should know, such as that the cache cannot be used; may be empty.
    """

    def __init__(self, source: str, title: str, kind: str) -> None:
        self._source = source
        self._title = title
        self._kind = kind
        self._library: Path | None = None
        self._failure: CompileError | None = None
        self._build: Build | None = None
        self._began = time.monotonic()
        try:
            self._open(open_cache())
        except OSError as error:
            try:
                self._open(private_cache(error.strerror or str(error)))
            except OSError as also:
                raise CompilerUnavailable(
                    f"there is no place to compile in ({also.strerror or also})",
                    "make room on the disk, or set PPLC_CACHE_DIR and TMPDIR",
                ) from error

    @classmethod
    def start(cls, source: str, title: str = "", kind: str = "step") -> Compilation:
        """Begin; the arguments are those of `shared_library`.

        Raises:
            CompilerUnavailable: There is no compiler, or native code is switched off.
        """
        return cls(source, title, kind)

    def done(self) -> bool:
        """Tell whether `result` would return (or raise) at once; takes microseconds."""
        if self._library is None and self._failure is None:
            try:
                if self._build is None or self._build.ended():
                    with Interrupts(patience=math.inf):  # half-way they would leave files behind
                        self._look() if self._build is None else self._finish(self._build)
            except OSError as error:
                self._failure = CompileError(f"the compiled code cannot be kept: {error}")
        return self._library is not None or self._failure is not None

    def result(self) -> Path:
        """Wait for the library, which can be loaded: this process has done so.

        Raises:
            CompileError: The compiler refused the source, or `cancel` was called.
        """
        while not self.done():
            if self._build is None:
                time.sleep(_BETWEEN_LOOKS)
            else:
                self._build.wait()
        if self._failure is not None:
            raise self._failure
        assert self._library is not None
        return self._library

    @property
    def record(self) -> Path:
        """The record of the library, where there is evidence on it; see ``evidence``."""
        return self._cache.path(self._key, ".json")

    def cancel(self) -> None:
        """Stop the compiler and leave nothing behind; without effect once all is done."""
        if self._library is None and self._failure is None:
            self._failure = CompileError("the compilation was cancelled")
            if self._build is not None:
                self._build.discard()

    def _open(self, cache: Cache) -> None:
        toolchain = find_toolchain(cache.folder)
        size = len(self._source.encode())
        self.note = cache.note
        self._cache = cache
        self._toolchain = toolchain
        self._key = key_of(self._source, toolchain.fingerprint(size))
        with Interrupts(patience=math.inf):
            self._look()

    def _look(self) -> None:
        """Take the library from the cache, or build it if nobody else does."""
        self._library = self._found()
        if self._library is not None:
            return
        lock = Lock(self._cache.path(self._key, ".lock"))
        impatient = time.monotonic() - self._began > _PATIENCE
        if lock.acquire() or impatient:
            self._library = self._found()  # the holder of the lock may just have finished
            if self._library is None:
                self._build = Build(self._cache, self._key, self._source, self._toolchain, lock)
            else:
                lock.release()

    def _found(self) -> Path | None:
        """Return the library of the cache if it is there and can be loaded."""
        library = self._cache.find(self._key)
        if library is not None and _why_not_loadable(library):
            self._cache.remove(self._key)
            return None
        return library

    def _finish(self, build: Build) -> None:
        """Put the library that was built in its place, or tell why there is none."""
        try:
            problem = build.problem()
            if not problem:
                library = self._cache.keep(
                    self._key,
                    build.library,
                    build.source,
                    title=self._title,
                    kind=self._kind,
                    seconds=build.seconds(),
                    compiler=self._toolchain.version,
                )
                problem = _why_not_loadable(library)
            if not problem:
                self._library = library
                return
            self._cache.remove(self._key)
            kept = self._cache.path(self._key, ".cpp")
            kept.write_text(self._source, encoding="utf-8")
            self._failure = CompileError(
                f"{self._toolchain.command[0]} could not compile the generated code: {problem} "
                f"(for an hour, the source is in {kept})"
            )
        finally:
            build.discard()


def _why_not_loadable(library: Path) -> str:
    """Load a library for as long as this process lives; return why this failed, if it did."""
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return f"its library cannot be loaded: {error}"
    return ""
