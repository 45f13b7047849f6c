"""ArviZ is there wherever its file cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_folder_for_caches_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from autoguide_core.arviz_module import arviz_module\nprint(arviz_module().psislw)",
        ],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file" / "below")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "function psislw" in done.stdout, done.stderr
