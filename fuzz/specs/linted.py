"""Emitted modules, some hundred at a time, as ruff sees them: unused names, undefined names."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path

from ruff.__main__ import find_ruff_bin

from fuzz.findings import Findings

_COMMAND = ("check", "--isolated", "--select", "E9,F", "--output-format", "json", "--no-cache", ".")


class Linted:
    """Gathers modules, and looks at them together, as ruff takes long to start.

    Args:
        findings: Where to keep what is wrong.
        most: How many it gathers before it looks at them.
    """

    def __init__(self, findings: Findings, most: int = 200) -> None:
        self._findings, self._most = findings, most
        self._modules: list[tuple[str, str]] = []

    def add(self, spec: str, source: str) -> None:
        """Take a module, with the spec that it was emitted from."""
        self._modules.append((spec, source))
        if len(self._modules) >= self._most:
            self.look()

    def look(self) -> None:
        """Report what ruff says of the modules gathered so far."""
        modules, self._modules = self._modules, []
        if not modules:
            return
        with tempfile.TemporaryDirectory() as folder:
            for number, (_, source) in enumerate(modules):
                (Path(folder) / f"m{number}.py").write_text(source, encoding="utf-8")
            done = subprocess.run(
                [find_ruff_bin(), *_COMMAND], cwd=folder, capture_output=True, check=False
            )
        self._findings.counts["linted"] += len(modules)
        for problem in json.loads(done.stdout or "[]"):
            spec, source = modules[int(Path(problem["filename"]).stem[1:])]
            message = re.sub(r"`.*?`", "…", problem["message"])
            self._findings.add(f"ruff: {problem['code']} {message}", source, spec_ppl=spec)
