"""Limits: how long a campaign goes on, and how long one input may take."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass
class Clock:
    """Tells whether a campaign goes on.

    Attributes:
        seconds: For how long.
        limit: For how many inputs, if they end before.
    """

    seconds: float = float("inf")
    limit: int = 10**12
    _begun: float = field(default_factory=time.monotonic)
    _inputs: int = 0

    def going(self) -> bool:
        """Count one more input, and tell whether there is time for it."""
        self._inputs += 1
        return self._inputs <= self.limit and time.monotonic() - self._begun < self.seconds


class TooSlow(BaseException):
    """An input took longer than it may; no exception of an `except Exception`."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` within a block that takes more seconds of CPU; in the main thread only."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
