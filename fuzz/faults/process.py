"""The command line, in a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.data.specs import GOOD, REGRESSION
from fuzz.findings import Findings

_MAIN = "import sys; sys.argv[0] = 'pplc'; from compiler.cli import main; main()"
_MEMORY = 8 * 2**30
GUIDED = REGRESSION + "guide q { part a = AutoNormal(*) }\n"
"""A spec that is fitted by gradient steps, so that a fit can take long."""


@dataclass
class Folder:
    """A folder with a spec and data, where commands run.

    Attributes:
        path: Where it is.
        own: What is in it at the start.
    """

    path: Path
    own: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    @contextmanager
    def made(cls) -> Iterator[Folder]:
        """Make a folder with `m.ppl`, `g.ppl` and `d.json`, for the time of a block."""
        with tempfile.TemporaryDirectory() as name:
            path = Path(name)
            (path / "m.ppl").write_text(REGRESSION, encoding="utf-8")
            (path / "g.ppl").write_text(GUIDED, encoding="utf-8")
            (path / "d.json").write_text(json.dumps(GOOD), encoding="utf-8")
            yield cls(path, frozenset(os.listdir(path)))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command; it may use no more than some memory, and leaves no core."""

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # a job in the background ignores some

        environment = {
            "PPLC_COMPILER": "none",
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(self.path),
            "XDG_CACHE_HOME": str(self.path / "cache"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        return subprocess.Popen(
            [sys.executable, "-c", _MAIN, *words],
            cwd=self.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=limit,
            start_new_session=True,
        )

    def left(self) -> list[str]:
        """Return what commands have left here that no one asked for."""
        return sorted(
            name
            for name in os.listdir(self.path)
            if name not in self.own | {"fit", "cache", "checkpoint.pt"}
        )


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; None where it had to be killed.
        text: All that it printed.
    """

    code: int | None
    text: str


def ended(process: subprocess.Popen[str], seconds: float = 60.0) -> Ended:
    """Wait for a command; one that takes too long is killed."""
    try:
        text, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        text, _ = process.communicate()
        return Ended(None, text)
    return Ended(process.returncode, text)


def judge(
    name: str,
    words: tuple[str, ...],
    end: Ended,
    findings: Findings,
    *,
    by: signal.Signals | None = None,
) -> bool:
    """Keep what is wrong with how a command ended, and tell whether all is well.

    Args:
        name: What was done.
        words: The command.
        end: How it ended.
        findings: Where to keep what is wrong.
        by: The signal that it may have died of.
    """
    wrong = ""
    if end.code is None:
        wrong = "it does not end"
    elif end.code == 70 or "internal error" in end.text:
        wrong = "a mistake in pplc"
    elif "Traceback" in end.text:
        wrong = "a traceback"
    elif end.code < 0 and end.code != -(by or 0):
        wrong = f"died of {signal.Signals(-end.code).name}"
    elif end.code > 3 and end.code != 128 + (by or 0):
        wrong = f"exit code {end.code}"
    if wrong:
        detail = f"{shlex.join(words)}\n{end.code}\n{end.text[-3000:]}"
        findings.add(f"{name}: {wrong}", detail, command_txt=shlex.join(words))
    return not wrong
