"""Arguments that no command can do anything with: devices, pipes, folders, numbers too large."""

from __future__ import annotations

import os
from random import Random

from fuzz.faults.process import Folder, ended, judge
from fuzz.findings import Findings

_FILES = (
    "/dev/zero", "/dev/null", "/dev/urandom", "/dev/full", "/proc/self/mem", "/proc/1/environ", ".",
    "nothing.csv", "pipe", "loop", "zero.json", "x" * 5000, "a\udc80b", "-", "../..", "",
)  # fmt: skip

_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("fit", "m.ppl", "--data", "FILE", "--out", "fit", "--steps", "50"),
    ("fit", "m.ppl", "--data", "d.json", "--out", "FILE", "--steps", "50"),
    ("fit", "g.ppl", "--data", "d.json", "--out", "fit", "--steps", "50", "--checkpoint", "FILE"),
    ("fit", "FILE", "--data", "d.json"),
    ("check", "FILE"),
    ("fmt", "--check", "FILE"),
    ("emit", "ir", "FILE"),
    ("emit", "module", "FILE"),
    ("diff", "m.ppl", "FILE"),
    ("report", "FILE"),
    ("new", "FILE"),
    ("explain", "FILE"),
    ("cache", "show", "FILE"),
)

_OPTIONS: tuple[tuple[str, ...], ...] = (
    ("--draws", "99999999999999"),
    ("--draws", "-1"),
    ("--set", "obs=999999999999999999999"),
    ("--set", "obs"),
    ("--map", "x=,,,"),
    ("--map", "x=x=x"),
    ("--device", "cuda:99999999999"),
    ("--device", "meta"),
    ("--device", "x\ny"),
    ("--seed", "99999999999999999999999"),
    ("--seed", "-1"),
    ("--steps", "0"),
    ("--guide", "nothing"),
    ("--dtype", "float16"),
)


def commands() -> list[tuple[str, ...]]:
    """Return all commands."""
    found = [
        tuple(file if word == "FILE" else word for word in command)
        for command in _COMMANDS
        for file in _FILES
        if not (command[0] == "fit" and "--out" in command and file in ("..", "../..", "-"))
    ]
    fit = ("fit", "m.ppl", "--data", "d.json", "--out", "fit")
    return found + [(*fit, *option) for option in _OPTIONS]


def try_one(words: tuple[str, ...], findings: Findings) -> None:
    """Run one command in a folder that has a pipe, a loop of links, and a link to a device."""
    findings.counts["commands"] += 1
    if any("\x00" in word for word in words):
        return
    with Folder.made() as folder:
        os.mkfifo(folder.path / "pipe")
        (folder.path / "loop").symlink_to("loop")
        (folder.path / "zero.json").symlink_to("/dev/zero")
        shown = [word if len(word) < 100 else "…" for word in words]
        judge(f"pplc {' '.join(shown)!r}", words, ended(folder.start(*words)), findings)


def try_some(random: Random, findings: Findings) -> None:
    """Run one of the commands."""
    try_one(random.choice(commands()), findings)
