"""A fit that is killed at random moments, and resumed, ends where an uninterrupted one ends."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from random import Random

from fuzz.faults.process import Folder, ended, judge
from fuzz.findings import Findings

_WORDS = ("fit", "g.ppl", "--data", "d.json", "--out", "fit", "--seed", "3", "--steps", "4000",
          "--engine", "graph", "--checkpoint", "checkpoint.pt")  # fmt: skip
_NEAR = 1e-3


def try_some(random: Random, findings: Findings) -> None:
    """Kill a fit some times, resume it, and compare it with one that was left alone."""
    moments = [random.uniform(1.5, 8.0) for _ in range(random.choice([1, 2, 3]))]
    with Folder.made() as left_alone:
        end = ended(left_alone.start(*_WORDS), 300)
        expected = _summary(left_alone.path / "fit")
        if not judge("a fit that is left alone", _WORDS, end, findings) or not expected:
            return
    with Folder.made() as folder:
        for moment in moments:
            findings.counts["kills"] += 1
            process = folder.start(*_WORDS)
            time.sleep(moment)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            ended(process)
        end = ended(folder.start(*_WORDS), 300)
        if not judge(f"a fit after {len(moments)} kills", _WORDS, end, findings):
            return
        found = _summary(folder.path / "fit")
        off = [
            name for name, value in expected.items() if abs(found.get(name, 1e9) - value) > _NEAR
        ]
        if off:
            detail = f"killed after {moments}\n{found}\nexpected {expected}"
            findings.add("a resumed fit has other numbers", detail, command_txt=" ".join(_WORDS))


def _summary(folder: Path) -> dict[str, float]:
    """Return the means and standard deviations of a fit's summary, by name."""
    file = folder / "summary.json"
    if not file.exists():
        return {}
    found: dict[str, float] = {}

    def gather(part: object, name: str) -> None:
        if isinstance(part, dict):
            for key, value in part.items():
                gather(value, f"{name}.{key}")
        elif isinstance(part, list):
            for place, value in enumerate(part):
                gather(value, f"{name}.{place}")
        elif isinstance(part, float) and name.endswith((".mean", ".sd")):
            found[name] = part

    gather(json.loads(file.read_text(encoding="utf-8")), "")
    return found
