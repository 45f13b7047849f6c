"""The C++ compiler of this machine: which one, and with which flags.

A compiler is tried once, on a few lines of C++, and what was found is remembered beside the
compiled libraries. Later processes look at the compiler's file only, and start nothing.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from autoguide_core.engine.native.errors import NativeUnavailable
from autoguide_core.engine.native.host import host, processor

LARGE_SOURCE = 1_500_000
"""Bytes of source from which on full optimisation would take minutes."""

TRIAL = "trial-"
"""How the names of folders begin in which a compiler is tried."""

_GROUP = None if sys.platform == "win32" else 0
"""The compiler and the programs that it starts form a group, so that all can be stopped."""

_GRACE = 2.0
"""Seconds that a compiler has for removing its own temporary files."""

_PATIENCE = 60.0
"""Seconds that a compiler has for a few lines."""

MOST_OUTPUT = 100_000
"""Bytes of what it prints that are read."""

_CANDIDATES = ("c++", "g++", "clang++")

# NaN and infinity keep their meaning, as the checks of a fit rely on them: no -ffast-math.
_ALWAYS = (
    "-std=c++17",
    "-fPIC",
    "-shared",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-ffp-contract=fast",
    "-w",
)
_NATIVE = ("-march=native", "-mcpu=native", "")
_WIDTH = ("-mprefer-vector-width=256", "")
"""On processors with 512-bit registers the short loops of models are faster without them."""
_OPENMP = ("-fopenmp", "-fopenmp-simd", "")
_ADDRESSES = ("-fno-delete-null-pointer-checks", "")
"""GCC 12 writes some stores of loops as an offset from address zero, the address itself being the
offset, and then takes them for stores to nowhere: the kernel counts as one that changes nothing,
and what it has written is not read again. With this flag address zero is as good as any other.
The speed stays; ``-fno-ivopts``, which helps too, makes some kernels slower by up to a quarter.
"""
_LIBRARIES = ("-lm",)

_TRIAL = """\
#include <algorithm>
#include <cmath>
#include <cstdint>
extern "C" double trial(const double* x, std::int64_t n) {
  double sum = 0;
  #pragma omp parallel for simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += std::exp(std::max(x[i], 0.0));
  return sum;
}
"""

_REMEDIES = {
    "darwin": "install Apple's compiler with: xcode-select --install",
    "win32": "run under WSL, and there: apt install g++",
}
_REMEDY = (
    "install one with: apt install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora), or, "
    "without being root, conda install -c conda-forge cxx-compiler"
)


class CompilerUnavailable(NativeUnavailable):
    """There is no C++ compiler that works, or native code is switched off.

    Args:
        reason: What is wrong, as a clause.
        remedy: What the user can do about it, likewise.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True)
class Toolchain:
    """A compiler that works.

    Attributes:
        command: How it is called: the program, and arguments that the user gave in `$CXX`.
        version: The first line of what `--version` prints.
        flags: What it was found to take, optimisation aside.
        host: The processor and the C library that the code is for, as a hash.
    """

    command: tuple[str, ...]
    version: str
    flags: tuple[str, ...]
    host: str

    def arguments(self, source: Path, library: Path, size: int) -> list[str]:
        """Return the command line that compiles `source`, of `size` bytes, to `library`."""
        names = ["-o", str(library), str(source)]
        return [*self.command, self._optimisation(size), *self.flags, *names, *_LIBRARIES]

    def fingerprint(self, size: int) -> str:
        """Return everything but a source (of `size` bytes) that its library depends on."""
        return json.dumps([asdict(self), self._optimisation(size), _LIBRARIES])

    @staticmethod
    def _optimisation(size: int) -> str:
        return "-O3" if size < LARGE_SOURCE else "-O1"


def find_toolchain(memory: Path) -> Toolchain:
    """Return the first compiler that works of `$PPLC_COMPILER`, `$CXX`, c++, g++ and clang++.

    Args:
        memory: The folder where it is remembered what a compiler can do.

    Raises:
        CompilerUnavailable: There is none, or `PPLC_COMPILER` is `none`.
    """
    chosen = os.environ.get("PPLC_COMPILER", "").strip()
    if chosen.lower() == "none":
        raise CompilerUnavailable(
            "native code is switched off by PPLC_COMPILER=none", "unset it to have native code"
        )
    wanted = [chosen] if chosen else [os.environ.get("CXX", ""), *_CANDIDATES]
    refusals = []
    for words in map(_words, wanted):
        program = shutil.which(words[0]) if words else None
        if program is None:
            continue
        toolchain, refusal = _examined((program, *words[1:]), memory)
        if toolchain is not None:
            return toolchain
        refusals.append(f"{program} does not work: {refusal}")
    if not refusals:
        tried = chosen or ", ".join(_CANDIDATES)
        refusals.append(f"no C++ compiler was found (looked for {tried})")
    raise CompilerUnavailable(refusals[0], _REMEDIES.get(sys.platform, _REMEDY))


def first_error(output: str) -> str:
    """Return the first error in what a compiler printed, without the file's name."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        place, found, message = line.partition("error: ")
        if found:
            number = place.rstrip(": ").removesuffix("fatal").rstrip(": ").split(":")[-2:-1]
            return f"line {number[0]}: {message}" if number and number[0].isdigit() else message
    return lines[0] if lines else "it printed nothing"


def started(arguments: list[str], messages: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a compiler, to be ended by `stop`.

    Args:
        arguments: Its command line.
        messages: Takes what it prints, in English. No pipe: that could fill up and block it.

    Raises:
        OSError: It cannot be started.
    """
    return subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=messages,
        stderr=messages,
        env={**os.environ, "LC_ALL": "C"},
        process_group=_GROUP,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a compiler that still runs, with all that it has started."""
    if process.poll() is None:
        _signal(process, "SIGTERM")
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            _signal(process, "SIGKILL")
            process.wait()


def _signal(process: subprocess.Popen[bytes], name: str) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(OSError):  # it has just ended
            os.killpg(process.pid, getattr(signal, name))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation mark without its partner
        return []


def _examined(command: tuple[str, ...], memory: Path) -> tuple[Toolchain | None, str]:
    """Return what is known of a compiler, or else of what a trial of it tells."""
    file = Path(command[0]).resolve()
    status = file.stat()
    wanted = [_ALWAYS, _NATIVE, _OPENMP, _WIDTH, _ADDRESSES]
    when = [status.st_mtime_ns, status.st_size]
    identity = json.dumps([command, str(file), when, host(), wanted])
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    record = memory / f"compiler-{name}.json"
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return Toolchain(command, str(known["version"]), tuple(known["flags"]), host()), ""
    except (OSError, ValueError, KeyError, TypeError):
        toolchain, refusal = _tried(command, identity, memory)
    if toolchain is not None:
        with suppress(OSError):
            _write(record, json.dumps({"version": toolchain.version, "flags": toolchain.flags}))
    return toolchain, refusal


@functools.cache
def _tried(command: tuple[str, ...], identity: str, folder: Path) -> tuple[Toolchain | None, str]:
    """Compile the trial, in a folder, with the best flags that the compiler takes.

    Refusals are remembered for this process only: once the user has mended the compiler, the next
    process shall see it.
    """
    del identity
    # Without a name for the processor, a library could meet another one that lacks instructions.
    native = _NATIVE if processor() else ("",)
    refusal = ""
    with tempfile.TemporaryDirectory(prefix=TRIAL, dir=folder, ignore_cleanup_errors=True) as place:
        source = Path(place, "trial.cpp")
        source.write_text(_TRIAL, encoding="utf-8")
        for number, choice in enumerate(itertools.product(native, _OPENMP, _WIDTH, _ADDRESSES)):
            flags = (*_ALWAYS, *filter(None, choice))
            library = Path(place, f"trial{number}.so")
            arguments = Toolchain(command, "", flags, host()).arguments(source, library, 0)
            try:
                accepted, output = _run(arguments, place)
            except subprocess.TimeoutExpired:  # which is not the fault of a flag
                return None, f"it did not compile a few lines within {_PATIENCE:g} s"
            refusal = _load(library) if accepted else first_error(output)
            if not refusal:
                with suppress(subprocess.TimeoutExpired):
                    output = _run([*command, "--version"], place)[1]
                version = output.partition("\n")[0].strip()
                return Toolchain(command, version, flags, host()), ""
    return None, refusal


def _run(arguments: list[str], folder: str) -> tuple[bool, str]:
    """Run a compiler; return whether it was content, and what it printed, by way of a folder.

    Raises:
        subprocess.TimeoutExpired: It did not end.
    """
    with tempfile.TemporaryFile(dir=folder) as messages:
        try:
            process = started(arguments, messages)
            try:
                code = process.wait(_PATIENCE)
            finally:
                stop(process)
        except OSError as error:
            return False, str(error)
        messages.seek(0)
        return code == 0, messages.read(MOST_OUTPUT).decode(errors="replace")


def _load(library: Path) -> str:
    """Load a library, as the flags can be right and the OpenMP library missing."""
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return str(error)
    return ""


def _write(path: Path, text: str) -> None:
    """Write a small file whole: other processes see all of it, or nothing."""
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
