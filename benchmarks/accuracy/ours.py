"""Our side: fits with default settings, one for each seed, the first with an empty cache."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pplc
from benchmarks.accuracy.errors import Errors, compare
from benchmarks.accuracy.moments import by_number
from benchmarks.accuracy.posteriors import Posterior


@dataclass(frozen=True)
class Run:
    """One fit.

    Attributes:
        seed: Its seed.
        errors: How far it is from the reference; None without one.
        khat: Pareto k-hat; NaN where it is not known.
        verdict: `clean`, `doubtful` where its quality is not known, or `warns`.
        sentences: The verdict in words.
        seconds: From loading the spec to the finished fit.
    """

    seed: int
    errors: Errors | None
    khat: float
    verdict: str
    sentences: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Runs:
    """All fits of one posterior: the first has found no compiled code, the others that of it.

    Attributes:
        posterior: The posterior's name.
        runs: The fits.
        failure: What broke off, or nothing.
    """

    posterior: str
    runs: tuple[Run, ...]
    failure: str = ""

    @property
    def errors(self) -> list[Errors]:
        """The errors of the fits that have a reference."""
        return [run.errors for run in self.runs if run.errors is not None]

    @property
    def cold(self) -> float:
        """Seconds of the fit that had nothing compiled."""
        return self.runs[0].seconds if self.runs else math.nan

    @property
    def warm(self) -> float:
        """The fewest seconds of the fits behind it."""
        return min((run.seconds for run in self.runs[1:]), default=math.nan)


def fit(posterior: Posterior, seeds: int) -> Runs:
    """Fit a posterior once with each seed from 0."""
    runs: list[Run] = []
    with _empty_cache():
        for seed in range(seeds):
            try:
                runs.append(_run(posterior, seed))
            except pplc.SpecError as error:
                return Runs(posterior.name, tuple(runs), str(error))
    return Runs(posterior.name, tuple(runs))


def _run(posterior: Posterior, seed: int) -> Run:
    data = posterior.data()
    started = time.perf_counter()
    fitted = pplc.load(posterior.spec).fit(data, seed=seed, progress=False)
    seconds = time.perf_counter() - started
    arrays = fitted.idata["posterior"].data_vars.items()
    found = by_number({str(name): array.values[0] for name, array in arrays})
    return Run(
        seed,
        compare(found, posterior.reference()),
        math.nan if fitted.khat is None else fitted.khat,
        _verdict(fitted.converged, fitted.trusted),
        fitted.verdict,
        seconds,
    )


def _verdict(converged: bool, trusted: bool | None) -> str:
    if not converged or trusted is False:
        return "warns"
    return "clean" if trusted else "doubtful"


@contextmanager
def _empty_cache() -> Iterator[None]:
    """Keep compiled code in a new folder, and remove it afterwards."""
    before = os.environ.get("PPLC_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PPLC_CACHE_DIR"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["PPLC_CACHE_DIR"]
            else:
                os.environ["PPLC_CACHE_DIR"] = before
