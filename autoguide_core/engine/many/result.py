"""What many fits hand back: each of them, the best, and a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoguide_core.engine.convergence import Verdict
from autoguide_core.engine.result import FitResult

_TAIL = 0.1
"""The share of a run, at its end, whose mean is its final ELBO."""

_CLOSE = 1.0
"""Nats from the best final ELBO within which another fit has found the same."""


_FAILED = "failed: "


def failure(error: Exception) -> Verdict:
    """The verdict on a fit that an error has ended."""
    return Verdict(False, f"{_FAILED}{error}")


@dataclass(frozen=True)
class Many:
    """Many finished fits.

    Attributes:
        results: The fits, in the order of restarts or data sets. One that failed is not
            converged, and its verdict begins with ``failed``.
        kind: ``restart`` or ``data set``.
        seconds: Wall-clock time of all together, which is also that of each if they were made at
            once.
        notes: Things worth knowing, such as why they were fitted one after the other.
    """

    results: tuple[FitResult, ...]
    kind: str
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> dict[int, str]:
        """Why fits failed, by their place in ``results``."""
        return {
            place: result.verdict.removeprefix(_FAILED)
            for place, result in enumerate(self.results)
            if result.verdict.startswith(_FAILED)
        }

    @property
    def best(self) -> FitResult:
        """The restart with the highest final ELBO.

        Raises:
            ValueError: If the fits are of several data sets, whose ELBOs cannot be compared.
        """
        return self.results[self._best]

    @property
    def _best(self) -> int:
        if self.kind != "restart":
            raise ValueError("ELBOs of several data sets cannot be compared: there is no best one")
        finals = [self.final_elbo(place)[0] for place in range(len(self.results))]
        return int(np.nanargmax(finals))

    def final_elbo(self, place: int) -> tuple[float, float]:
        """The mean ELBO of the last tenth of a fit's steps, and its Monte Carlo error, in nats.

        Both are NaN if the fit failed.

        Args:
            place: The place in ``results``.
        """
        if place in self.failures:
            return math.nan, math.nan
        elbo = self.results[place].elbo
        tail = elbo[-max(1, int(len(elbo) * _TAIL)) :]
        error = tail.std(ddof=1) / math.sqrt(len(tail)) if len(tail) > 1 else math.nan
        return float(tail.mean()), float(error)

    def summary(self) -> dict[str, list[Any]]:
        """The columns of a table with a row for each fit: ``pandas.DataFrame(many.summary())``.

        Returns:
            ``restart`` or ``data set`` (from 0), ``final ELBO`` in nats, its Monte Carlo
            ``error``, ``converged`` and ``verdict``.
        """
        places = range(len(self.results))
        finals = [self.final_elbo(place) for place in places]
        return {
            self.kind: list(places),
            "final ELBO": [mean for mean, _ in finals],
            "error": [error for _, error in finals],
            "converged": [result.converged for result in self.results],
            "verdict": [result.verdict for result in self.results],
        }

    @property
    def verdict(self) -> str:
        """What came of it, in one sentence."""
        total = len(self.results)
        failed = f"; {len(self.failures)} failed" if self.failures else ""
        if self.kind != "restart":
            converged = sum(result.converged for result in self.results)
            return f"{converged} of {total} fits converged{failed}"
        best, error = self.final_elbo(self._best)
        near = sum(self.final_elbo(place)[0] >= best - _CLOSE for place in range(total))
        return (
            f"{near} of {total} restarts came to within {_CLOSE:g} nat of the best, "
            f"restart {self._best} with a final ELBO of {best:.2f} ± {error:.2g}{failed}"
        )
