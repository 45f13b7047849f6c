"""The posteriors: their specs, their data and their references, found by name.

A posterior is called `DATA-MODEL`, as in posteriordb. Its spec is `MODEL.ppl` among the examples;
its data and its reference are `DATA.data.json` and `DATA-MODEL.json` in the folder of references.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy.moments import Moments

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "examples" / "posteriors"
REFERENCES = Path(os.environ.get("PPLC_REFERENCES") or ROOT.parent / "shared" / "posteriors")
"""The folder of data and references, which are no part of the project."""


@dataclass(frozen=True)
class Posterior:
    """A posterior by its name.

    Attributes:
        name: `DATA-MODEL`.
        folder: Where data and references are.
    """

    name: str
    folder: Path = REFERENCES

    @property
    def spec(self) -> Path:
        """The model as a spec; several posteriors may share one."""
        return SPECS / f"{self.name.split('-', 1)[1]}.ppl"

    def data(self) -> dict[str, Any]:
        """Read the data."""
        return _read(self.folder / f"{self.name.split('-', 1)[0]}.data.json")

    def reference(self) -> dict[str, Moments]:
        """Read the reference: moments by the parameter's name; empty where there is none."""
        file = self.folder / f"{self.name}.json"
        if not file.exists():
            return {}
        told = _read(file)["parameters"]
        return {
            name: Moments(
                one["mean"], one["sd"], one["q5"], one["q50"], one["q95"], one["mcse_mean"]
            )
            for name, one in told.items()
        }


def posteriors(folder: Path = REFERENCES) -> list[Posterior]:
    """Return all posteriors of a folder of references, in the order of its index."""
    return [Posterior(name, folder) for name in _read(folder / "index.json")]


def _read(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read
