"""Telling the caller how far a fit has come, a few times a second and no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_SECONDS_BETWEEN_REPORTS = 0.1


@dataclass(frozen=True)
class Progress:
    """Where a fit stands.

    Attributes:
        step: Steps done in this phase.
        total: Steps of this phase.
        elbo: The latest (noisy) ELBO in nats; NaN before the first.
        phase: ``mode``, ``variational`` or ``mean field``.
    """

    step: int
    total: int
    elbo: float
    phase: str


ProgressCallback = Callable[[Progress], None]


class Reporter:
    """Passes on about ten reports a second, and always the last one of a phase."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._next = 0.0

    def phase(self, name: str) -> Callable[[int, int, float], None]:
        """A reporter of one phase: called with step, total and ELBO."""
        return lambda step, total, elbo: self(step, total, elbo, name)

    def __call__(self, step: int, total: int, elbo: float, phase: str) -> None:
        """Report unless another report went out in the last tenth of a second."""
        if self._callback is None:
            return
        now = time.monotonic()
        if now >= self._next or step >= total:
            self._next = now + _SECONDS_BETWEEN_REPORTS
            self._callback(Progress(step, total, elbo, phase))
