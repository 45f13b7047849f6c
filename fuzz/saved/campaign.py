"""Changed checkpoints and folders of fits, one after the other."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

import pplc
from compiler.report import content_in, report_page
from compiler.run.result import Fit
from fuzz.clock import Clock, TooSlow, cpu_limit
from fuzz.data import arrays
from fuzz.data.specs import GOOD, REGRESSION
from fuzz.findings import Findings
from fuzz.saved.changes import tampered_checkpoint, tampered_folder
from fuzz.saved.pages import active_content

_SLOW = 20.0
_STEPS = 30
SPEC = REGRESSION.replace("draws = 50", "draws = 50; correction = none") + (
    "guide q { part a = AutoNormal(*) }\n"
)
"""What was fitted: by gradient steps, with few draws, so that fits are short."""


def run(random: Random, clock: Clock, findings: Findings) -> None:
    """Change what a fit has left, and have it read."""
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = Path(name)
        _fit(whole / "fit.pt").save(whole / "fit")
        assert not active_content(report_page(content_in(whole / "fit")))
        while clock.going():
            trial = whole / "trial"
            trial.mkdir()
            if random.random() < 0.4:
                content = tampered_checkpoint((whole / "fit.pt").read_bytes(), random)
                check_checkpoint(content, trial, findings)
            else:
                shutil.copytree(whole / "fit", trial / "fit")
                changed = tampered_folder(trial / "fit", random)
                check_folder(trial / "fit", changed, findings)
            shutil.rmtree(trial)


def _fit(checkpoint: Path) -> Fit:
    settings = {"steps": _STEPS, "engine": "eager", "seed": 1}
    return pplc.loads(SPEC).fit(GOOD, progress=False, checkpoint=checkpoint, **settings)


def check_checkpoint(content: bytes, folder: Path, findings: Findings) -> None:
    """Go on from a checkpoint: it has to be taken, or refused by a `SpecError` that names it.

    Args:
        content: What is in the file.
        folder: Where to put it.
        findings: Where to keep what is wrong.
    """
    path = folder / "fit.pt"
    path.write_bytes(content)
    _check("a checkpoint", path, lambda: _fit(path), {"fit_pt": content}, findings)


def check_folder(folder: Path, changed: str, findings: Findings) -> None:
    """Make a report of a folder: it has to be a page that does nothing, or a `SpecError`.

    Args:
        folder: The folder.
        changed: The name of the file that was changed.
        findings: Where to keep what is wrong.
    """
    file = folder / changed
    # A pipe would be waited for, and of a link not even what it points to is here.
    content = file.read_bytes() if file.is_file() and not file.is_symlink() else b""
    files: dict[str, str | bytes] = {changed.replace(".", "_"): content}

    def read() -> None:
        page = report_page(content_in(folder))
        for found in active_content(page):
            findings.add(f"{changed}: {found} in a report", page[:10_000], **files)

    _check(f"a changed {changed}", folder, read, files, findings)


def _check(
    what: str,
    path: Path,
    read: Callable[[], object],
    files: dict[str, str | bytes],
    findings: Findings,
) -> None:
    findings.counts["inputs"] += 1
    try:
        with cpu_limit(_SLOW):
            read()
        findings.counts[f"{what} is taken"] += 1
    except pplc.SpecError as error:
        findings.counts[f"{what} is refused"] += 1
        (told, *_) = error.diagnostics
        if os.fspath(path) not in told.message or not told.remedy:
            findings.add(f"{what}: the message lacks place or remedy", told.message, **files)
    except TooSlow:
        findings.add(f"{what}: more than {_SLOW:g} s of CPU", "", **files)
    except Exception as error:
        findings.crash(what, error, **files)
    if arrays.RAN:
        arrays.RAN.clear()
        findings.add(f"{what}: its code ran", "", **files)
