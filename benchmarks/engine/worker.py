"""One measurement in a process of its own: a job in JSON as the argument, its outcome on stdout.

Started by ``runner``; the libraries are imported only after the process is held to its cores.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine.rows import Row

SHORT = 100
_MOST = 10_000_000
_PAIRS = 3
_RANGE = 0.3  # between the extremes of the differences, of their median
_ENOUGH = 10


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do.

    Attributes:
        kind: A name in ``KINDS``.
        row: The row.
        side: A name in ``rows.SIDES``.
        dtype: ``float32`` or ``float64``.
        device: ``cpu`` or ``cuda``.
        threads: The number of cores that the process may use.
        engine: The setting ``engine`` of ours; None for its default.
        steps: Steps of a whole run.
        seconds: How much longer the long run of a steady measurement must take than the short.
        folder: Where the row's data are; None if the worker makes them itself.
    """

    kind: str
    row: Row
    side: str = "ours"
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 1
    engine: str | None = None
    steps: int = 0
    seconds: float = 2.0
    folder: str | None = None


def run(job: Job) -> dict[str, Any]:
    """A whole fit; its ELBO at the end, with a standard error, and the seconds within."""
    side = _side(job)
    start = time.perf_counter()
    history = side.run(job.steps)
    seconds = time.perf_counter() - start
    tail = history[-max(10, job.steps // 10) :]
    return {
        "engine": side.engine,
        "fit_s": seconds,
        "elbo": float(tail.mean()),
        "elbo_error": float(tail.std() / len(tail) ** 0.5),
    }


def first(job: Job) -> dict[str, Any]:
    """The time to the first step."""
    return {"first_s": _side(job).first()}


def steady(job: Job) -> dict[str, Any]:
    """Seconds a step, three times: a long run less a short one, over the steps between.

    What a run costs once (checks, tracing, loading a library) cancels, but for its noise. So the
    long run is made longer until the difference takes ``job.seconds`` and comes out the same three
    times, or has become ``_ENOUGH`` times as long in vain, on a busy machine.
    """
    side = _side(job)
    short = side.repeatable(SHORT)
    short()
    steps = 2 * SHORT
    while True:
        long = side.repeatable(steps)
        gains = [_timed(long) - _timed(short)]
        if gains[0] >= job.seconds:
            gains += [_timed(long) - _timed(short) for _ in range(_PAIRS - 1)]
        middle = statistics.median(gains)
        settled = len(gains) == _PAIRS and max(gains) - min(gains) <= _RANGE * middle
        if settled or middle >= _ENOUGH * job.seconds or steps >= _MOST:
            break
        growth = min(10.0, max(2.0, 1.2 * job.seconds / max(middle, 1e-9)))
        steps = min(_MOST, SHORT + int((steps - SHORT) * growth))
    each = [gain / (steps - SHORT) for gain in gains]
    return {"engine": side.engine, "each_s": each, "steps": steps}


def passes(job: Job) -> dict[str, Any]:
    """Seconds of the two products with the design matrix that a step cannot do without."""
    import torch

    design = torch.from_numpy(_data(job)["x"]).to(job.device)
    weights, residuals = design.new_ones(design.shape[1]), design.new_ones(design.shape[0])

    def twice() -> None:
        torch.mv(design, weights)
        torch.mv(design.T, residuals)
        if job.device == "cuda":
            torch.cuda.synchronize()

    each: list[float] = []
    end = time.perf_counter() + job.seconds
    while time.perf_counter() < end or len(each) < 10:
        each.append(_timed(twice))
    return {"passes_s": statistics.median(each)}


def agree(job: Job) -> dict[str, Any]:
    """The log density of each side's model at one point; NumPyro's if ``job.side`` names it."""
    from benchmarks.engine.agreement import numpyro_density, pyro_density
    from benchmarks.engine.data import make, point

    data = make(job.row, "float64")
    values = point(job.row, data)
    densities = {"pyro": pyro_density(job.row, data, values)}
    if job.side == "numpyro":
        densities["numpyro"] = numpyro_density(job.row, data, values)
    return densities


def prepare(job: Job) -> dict[str, Any]:
    """Writes the row's data where later workers read them."""
    from benchmarks.engine.data import make, save

    assert job.folder is not None
    save(Path(job.folder), make(job.row, job.dtype))
    return {}


KINDS: dict[str, Callable[[Job], dict[str, Any]]] = {
    function.__name__: function for function in (run, first, steady, passes, agree, prepare)
}


def _data(job: Job) -> Any:
    from benchmarks.engine.data import load, make

    return load(Path(job.folder), job.row) if job.folder else make(job.row, job.dtype)


def _side(job: Job) -> Any:
    from benchmarks.engine.sides import make_side

    return make_side(
        job.side, job.row, _data(job), dtype=job.dtype, device=job.device, engine=job.engine
    )


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _peak_mb(who: int) -> float:
    """The peak resident memory of this process or of its largest child, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(who).ru_maxrss * unit / 1e6


def main() -> None:
    """Do the job that stands in the first argument."""
    words = json.loads(sys.argv[1])
    job = Job(**{**words, "row": Row(**words["row"])})
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.threads])
    warnings.simplefilter("ignore")
    outcome = KINDS[job.kind](job)
    outcome["peak_mb"] = _peak_mb(resource.RUSAGE_SELF)
    outcome["child_peak_mb"] = _peak_mb(resource.RUSAGE_CHILDREN)
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
