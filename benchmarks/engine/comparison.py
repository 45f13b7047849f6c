"""All measurements of one row; the sides take turns, so that a slower hour slows all of them."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.engine.agreement import TOLERANCE
from benchmarks.engine.rows import Row
from benchmarks.engine.runner import Outcome, Surroundings, WorkerFailedError
from benchmarks.engine.worker import Job

MEASURES = ("steady", "first", "wall")

Result = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is measured of each row.

    Attributes:
        surroundings: What is the same for all workers.
        sides: The sides, in the order of their turns.
        measures: Some of ``MEASURES``.
        repeats: How many times each figure is taken.
        steps: The lengths of the whole runs, rising.
        seconds: How long a steady measurement takes, about.
        limit: Whole runs that would take more seconds are not made but reckoned.
        engine: The setting ``engine`` of ours; None for its default, except in steady
            measurements on a CPU, which wait for compiled code.
    """

    surroundings: Surroundings
    sides: tuple[str, ...]
    measures: tuple[str, ...] = MEASURES
    repeats: int = 3
    steps: tuple[int, ...] = (1_000, 10_000, 100_000)
    seconds: float = 2.0
    limit: float = 120.0
    engine: str | None = None

    @property
    def compiled(self) -> str | None:
        """The engine of ours where the figure is about compiled code."""
        return self.engine or ("native" if self.surroundings.device == "cpu" else None)


def disagreement(row: Row, plan: Plan) -> str | None:
    """In what the models of a row differ between the sides, or None if they do not."""
    side = "numpyro" if "numpyro" in plan.sides else "pyro"
    surroundings = Surroundings(threads=plan.surroundings.threads)
    found = surroundings.measure(Job("agree", row, side))
    mine, theirs = found["pyro"], found.get("numpyro", found["pyro"])
    if abs(mine - theirs) <= TOLERANCE * abs(mine):
        return None
    return f"{row.name}: the log density is {mine!r} in Pyro and {theirs!r} in NumPyro"


def compare(row: Row, plan: Plan, say: Callable[[str], None]) -> Result:
    """Measure one row.

    Args:
        row: The row.
        plan: What to measure.
        say: Told what goes on.

    Returns:
        For JSON: the row, what each side took, and what failed. All times are in seconds.
    """
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        work = _Work(row, plan, Path(folder), say)
        work.measure("prepare", "")
        for name in plan.measures:
            getattr(work, name)()
        result = {"row": asdict(row), "sides": work.found, "failures": work.failures}
        if row.dense and "steady" in plan.measures:
            result["passes_s"] = work.measure("passes", "")["passes_s"]
        return result


@dataclass
class _Work:
    row: Row
    plan: Plan
    folder: Path
    say: Callable[[str], None]
    found: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "data").mkdir()
        for side in self.plan.sides:
            (self.folder / side).mkdir()
        self.found = {side: {} for side in self.plan.sides}

    def measure(self, kind: str, side: str, *, warm: bool = False, **settings: Any) -> Outcome:
        """Have one job done; ``warm`` lends the side's cache of this row."""
        data = str(self.folder / "data")
        words = {"engine": self.plan.engine, "seconds": self.plan.seconds} | settings
        job = Job(kind, self.row, side or "ours", folder=data, **words)
        return self.plan.surroundings.measure(job, self.folder / side if warm else None)

    def compiled(self, kind: str, side: str, **settings: Any) -> Outcome:
        """A job that leaves compiled code in the side's cache of this row.

        Where our engine cannot compile the row, its default does the job and the reason is noted.
        """
        try:
            return self.measure(kind, side, warm=True, engine=self.plan.compiled, **settings)
        except WorkerFailedError as error:
            if side != "ours" or self.plan.compiled == self.plan.engine:
                raise
            self.failed(side, f"engine {self.plan.compiled!r}", error)
            return self.measure(kind, side, warm=True, **settings)

    def turns(self, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each side as often as figures are repeated, until it fails."""
        for repeat in range(self.plan.repeats):
            for side in self.plan.sides:
                if not any(text.startswith(f"{side}, {what}:") for text in self.failures):
                    self.say(f"{self.row.name}: {what}, {side}, {repeat + 1}/{self.plan.repeats}")
                    yield side, self.found[side]

    def failed(self, side: str, what: str, error: WorkerFailedError) -> None:
        """Note, once, that a side could not be measured; the others go on."""
        if (text := f"{side}, {what}: {error}") not in self.failures:
            self.failures.append(text)

    def steady(self) -> None:
        """The cost of a step when all is compiled."""
        for side, found in self.turns("steady"):
            try:
                outcome = self.compiled("steady", side)
            except WorkerFailedError as error:
                self.failed(side, "steady", error)
                continue
            found.setdefault("step_s", []).extend(outcome["each_s"])
            found["engine"] = outcome["engine"]

    def first(self) -> None:
        """The wait for the first step, with nothing kept from before and with a filled cache."""
        for side, found in self.turns("first"):
            try:
                if side != "pyro":
                    if "first_warm_s" not in found:
                        self.compiled("first", side)
                    warm = self.measure("first", side, warm=True)
                    found.setdefault("first_warm_s", []).append(warm["first_s"])
                cold = self.measure("first", side)
            except WorkerFailedError as error:
                self.failed(side, "first", error)
                continue
            found.setdefault("first_cold_s", []).append(cold["first_s"])

    def wall(self) -> None:
        """Whole processes; those that would take too long are reckoned from the shorter ones."""
        for steps in self.plan.steps:
            for side, found in self.turns(f"{steps:,} steps"):
                runs = found.setdefault("wall", {})
                run = runs.setdefault(str(steps), {"reckoned": self._reckoned(side, steps)})
                if run["reckoned"] is None:
                    try:
                        self._whole(side, steps, run)
                    except WorkerFailedError as error:
                        self.failed(side, f"{steps:,} steps", error)

    def _whole(self, side: str, steps: int, run: dict[str, Any]) -> None:
        if side != "pyro":
            if "warm_s" not in run:
                self.compiled("run", side, steps=steps)
            warm = self.measure("run", side, warm=True, steps=steps)
            run.setdefault("warm_s", []).append(warm["wall_s"])
        cold = self.measure("run", side, steps=steps)
        for name, value in {"cold_s": cold["wall_s"], **cold}.items():
            run.setdefault(name, []).append(value)

    def _reckoned(self, side: str, steps: int) -> dict[str, float] | None:
        """What a whole run would take, if that is more than the limit; None if it can be made."""
        found = self.found[side]
        made = [int(n) for n, run in found["wall"].items() if "cold_s" in run and int(n) < steps]
        if not made or "step_s" not in found:
            return None
        longest = found["wall"][str(max(made))]
        more = (steps - max(made)) * statistics.median(found["step_s"])
        expected = {
            name: statistics.median(longest[name]) + more
            for name in ("cold_s", "warm_s")
            if name in longest
        }
        return expected if expected["cold_s"] > self.plan.limit else None
