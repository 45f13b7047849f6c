"""Files that change, vanish or appear while a fit runs: nothing of anyone's is lost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from random import Random

from fuzz.faults.process import Folder, ended, judge
from fuzz.findings import Findings

_WORDS = (
    "fit",
    "g.ppl",
    "--data",
    "d.json",
    "--out",
    "fit",
    "--steps",
    "2000",
    "--engine",
    "eager",
)
_OWN = "ten years of work"


def _data_vanish(folder: Folder) -> None:
    (folder.path / "d.json").unlink()


def _data_change(folder: Folder) -> None:
    (folder.path / "d.json").write_text('{"x": [1], "y": [2]}', encoding="utf-8")


def _spec_vanishes(folder: Folder) -> None:
    (folder.path / "g.ppl").unlink()


def _work_vanishes(folder: Folder) -> None:
    for hidden in folder.path.glob(".fit-*"):
        shutil.rmtree(hidden, ignore_errors=True)


def _folder_of_others(folder: Folder) -> None:
    (folder.path / "fit").mkdir(exist_ok=True)
    (folder.path / "fit" / "thesis.txt").write_text(_OWN, encoding="utf-8")


def _file_of_others(folder: Folder) -> None:
    if not (folder.path / "fit").exists():
        (folder.path / "fit").write_text(_OWN, encoding="utf-8")


EVENTS: tuple[Callable[[Folder], None], ...] = (
    _data_vanish,
    _data_change,
    _spec_vanishes,
    _work_vanishes,
    _folder_of_others,
    _file_of_others,
)


def try_some(random: Random, findings: Findings) -> None:
    """Let something happen during a fit."""
    try_one(random.choice(EVENTS), random.uniform(0.5, 8.0), findings)


def try_one(event: Callable[[Folder], None], moment: float, findings: Findings) -> None:
    """Let something happen at some moment of a fit.

    Args:
        event: What.
        moment: When, in seconds after its start.
        findings: Where to keep what is wrong.
    """
    findings.counts["races"] += 1
    name = event.__name__.strip("_").replace("_", " ")
    with Folder.made() as folder:
        process = folder.start(*_WORDS)
        time.sleep(moment)
        event(folder)
        end = ended(process, 120)
        judge(f"{name} during a fit", _WORDS, end, findings)
        others = [file for file in folder.path.rglob("*") if file.name in ("thesis.txt", "fit")]
        kept = any(file.is_file() and _OWN in file.read_text() for file in others)
        if "others" in name and not kept and process.returncode is not None:
            findings.add(f"{name}: it was deleted", end.text, command_txt=" ".join(_WORDS))
