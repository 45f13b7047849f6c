"""The other side: NumPyro's own defaults, run by an interpreter that has it, and kept in a file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy.errors import Errors, compare
from benchmarks.accuracy.moments import Moments
from benchmarks.accuracy.numpyro_worker import GUIDES
from benchmarks.accuracy.posteriors import Posterior

_WORKER = Path(__file__).with_name("numpyro_worker.py")


@dataclass(frozen=True)
class Kept:
    """The results of earlier runs.

    Attributes:
        file: Where they are kept: by guide and posterior, the moments of every number.
    """

    file: Path

    def read(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Read all results."""
        if not self.file.exists():
            return {guide: {} for guide in GUIDES}
        read: dict[str, dict[str, dict[str, Any]]] = json.loads(self.file.read_text("utf-8"))
        return read

    def errors(self, wanted: Sequence[Posterior]) -> dict[str, dict[str, Errors]]:
        """Compare the results with the references, by guide and posterior."""
        found: dict[str, dict[str, Errors]] = {}
        for guide, results in self.read().items():
            found[guide] = {}
            for posterior in wanted:
                told = results.get(posterior.name)
                if told is None:
                    continue
                numbers = {name: Moments(*values) for name, values in told["numbers"].items()}
                errors = compare(numbers, posterior.reference())
                if errors is not None:
                    found[guide][posterior.name] = errors
        return found


def run_missing(
    kept: Kept, wanted: Sequence[Posterior], python: Path, models: Path, say: Callable[[str], None]
) -> None:
    """Fit with NumPyro what has no result yet, and add it to the file.

    Args:
        kept: The results so far.
        wanted: The posteriors.
        python: An interpreter that has NumPyro.
        models: A folder of modules `*_models.py`, each with a dict `MODELS`: by posterior, a dict
            of the model as `fn`, which takes the data, and the names of its `sites`.
        say: Told of what is run.
    """
    results = kept.read()
    for posterior in wanted:
        lacking = [guide for guide in GUIDES if posterior.name not in results[guide]]
        if not lacking or not posterior.reference():
            continue
        say(f"NumPyro: {posterior.name}")
        command = [python, _WORKER, models, posterior.folder, posterior.name, *lacking]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            told = json.loads(line)
            results[told["guide"]][posterior.name] = told
        if done.returncode:
            say(f"  {(done.stderr.strip() or 'no reason').splitlines()[-1]}")
        kept.file.write_text(json.dumps(results), encoding="utf-8")
