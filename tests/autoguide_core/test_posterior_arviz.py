"""ArviZ is there wherever its file cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


LOAD = "from autoguide_core.arviz_module import arviz_module\n{}\nprint(arviz_module().psislw)"


def loaded(before: str, cwd: Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD.format(before)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "function psislw" in done.stdout, done.stderr


def test_a_folder_for_caches_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    loaded("", ROOT, XDG_CACHE_HOME=str(tmp_path / "file" / "below"))


def test_a_working_directory_that_is_removed(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    loaded("import os; os.rmdir(os.getcwd())", tmp_path / "here")
    assert not list(tmp_path.iterdir())
