"""A compiler that is quick: what is fuzzed is the layout of programs, not the optimiser of gcc."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCRIPT = """#!/bin/sh
for word in "$@"; do
  shift
  case "$word" in -O?) word=-O0 ;; esac
  set -- "$@" "$word"
done
exec {compiler} "$@"
"""


@contextmanager
def quick_compilation() -> Iterator[None]:
    """Compile within a block with a quick compiler, unless the user has chosen one."""
    chosen = os.environ.get("PPLC_COMPILER")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PPLC_COMPILER"] = chosen or quick_compiler(Path(folder))
        try:
            yield
        finally:
            os.environ["PPLC_COMPILER"] = chosen or ""


def quick_compiler(folder: Path) -> str:
    """Return the path of a compiler without optimisation, for `PPLC_COMPILER`; `none` without one.

    Args:
        folder: Where its script is written.
    """
    compiler = shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
    if compiler is None:
        return "none"
    script = folder / "quick-compiler"
    script.write_text(_SCRIPT.format(compiler=compiler), encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)
