"""Signals at random moments of a fit: it ends soon, in order, and leaves nothing behind."""

from __future__ import annotations

import signal
import time
from random import Random

from fuzz.faults.process import Folder, ended, judge
from fuzz.findings import Findings

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SOON = 40.0


def try_some(random: Random, findings: Findings) -> None:
    """Send a signal to a fit, at a random moment."""
    try_one(random.choice(SIGNALS), random.random() < 0.5, random.uniform(0.1, 6.0), findings)


def try_one(which: signal.Signals, steps: bool, moment: float, findings: Findings) -> None:
    """Send a signal to a fit, and look at how it ends and at what it leaves.

    Args:
        which: The signal.
        steps: Whether the fit is one of gradient steps, with a checkpoint.
        moment: When, in seconds after its start.
        findings: Where to keep what is wrong.
    """
    findings.counts["signals"] += 1
    words: tuple[str, ...] = ("fit", "m.ppl", "--data", "d.json", "--out", "fit")
    if steps:
        more = ("--steps", "100000", "--engine", "graph", "--checkpoint", "checkpoint.pt")
        words = (words[0], "g.ppl", *words[2:], *more)
    with Folder.made() as folder:
        process = folder.start(*words)
        time.sleep(moment)
        arrived = process.poll() is None
        process.send_signal(which)
        end = ended(process, _SOON)
        name = f"{which.name} during a fit" + (" by steps" if steps else "")
        # Before Python has begun, a signal has its default effect.
        if judge(name, words, end, findings, by=which) and arrived:
            if folder.left():
                detail = f"after {moment:.2f} s: {folder.left()}\n{end.text[-2000:]}"
                findings.add(f"{name}: something is left", detail, command_txt=" ".join(words))
            if steps and end.code == 0:
                findings.add(f"{name}: it went on", end.text[-2000:], command_txt=" ".join(words))
