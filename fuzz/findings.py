"""What a campaign tried, and what it found: one folder for each kind of fault."""

from __future__ import annotations

import hashlib
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass
class Findings:
    """The findings of a campaign.

    Attributes:
        folder: Where inputs that show a fault are kept.
        origin: How the input is made again: the campaign and its seed.
        counts: How many inputs ended in which way.
        found: The size of the smallest input that shows each fault.
    """

    folder: Path
    origin: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    found: dict[str, int] = field(default_factory=dict)

    def add(self, fault: str, detail: str, **files: str | bytes) -> None:
        """Keep the input that shows a fault, unless a smaller one shows it already.

        Args:
            fault: What is wrong, and where: inputs that agree in it show one fault.
            detail: Everything else that one would like to know.
            **files: The input, a text or bytes for each file; `_` in a name stands for a dot.
        """
        self.counts["faults"] += 1
        size = sum(map(len, files.values()))
        if size >= self.found.get(fault, size + 1):
            return
        if fault not in self.found:
            print(f"FOUND {fault}", flush=True)
        self.found[fault] = size
        place = self.folder / hashlib.sha256(fault.encode()).hexdigest()[:10]
        place.mkdir(parents=True, exist_ok=True)
        text = f"{fault}\n{self.origin}, input {self.counts['inputs']}\n\n{detail}\n"
        (place / "finding.txt").write_text(text, encoding="utf-8", errors="replace")
        for name, content in files.items():
            whole = (
                content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
            )
            (place / name.replace("_", ".")).write_bytes(whole)

    def crash(self, stage: str, error: BaseException, **files: str | bytes) -> None:
        """Keep the input of an exception that nothing should have raised."""
        self.add(f"{stage}: {where(error)}", "".join(traceback.format_exception(error)), **files)

    def lines(self) -> list[str]:
        """Say what was tried and found, a line for each."""
        tried = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        return [tried or "nothing tried", *(f"FOUND {fault}" for fault in sorted(self.found))]


def where(error: BaseException) -> str:
    """Return the exception's type and the line of the project that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if Path(f.filename).is_relative_to(ROOT) and ".venv" not in f.filename]
    last = (own or frames)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def tables(values: Mapping[str, object]) -> str:
    """Return data as JSON with every digit, for a finding's folder."""
    import json

    import numpy as np

    return json.dumps({name: np.asarray(value).tolist() for name, value in values.items()})
