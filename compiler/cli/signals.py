"""Signals that end a command: each arrives, wherever the command is, and gives it its exit code.

A handler's exception can be lost: Python prints and drops it in ``__del__``, in callbacks from C
and in those of weak references, and libraries have their ``except:``. Where an exception of this
module is dropped before the command has ended, another one is raised a moment later.

While a module is imported, a signal waits for the end of the import: extension modules run Python
code as they start, and some, torch's among them, abort the process on an exception out of it.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

_NUMBERS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_AGAIN = getattr(signal, "SIGALRM", None)

_PATIENCE = 5.0
"""Seconds in which a second signal does not disturb the tidying up after the first: a terminal that
is closed may send several."""

_MOMENT = 0.01
"""Seconds after which a signal is raised again, elsewhere than where it was dropped or waited."""


class _Signals:
    """What has come to this process.

    Attributes:
        came: The first signal; None before it.
        ended: Whether the command has ended, by a signal or otherwise. What comes now is too late.
    """

    came: int | None = None
    ended = False
    _since = 0.0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise the exception of a signal, at once or after the import that is going on.

        A second signal that is not too soon is raised even during an import.
        """
        now = time.monotonic()
        if self.ended:
            return
        if number == _AGAIN and self.came is not None:
            first, standing = self.came, signal.getsignal(self.came)
            if callable(standing) and standing != self.handle:
                self.came = None  # whoever stands before this handler may hold signals just now
                standing(first, frame)
                return
        second = self.came is not None and number != _AGAIN
        if second and now - self._since < _PATIENCE:
            return
        if self.came is None:
            self.came, self._since = number, now
        if not second and _AGAIN is not None and _is_importing(frame):
            self.repeat()
            return
        self._since = now
        raise _Interrupted() if self.came == signal.SIGINT else _Ended(128 + self.came)

    def repeat(self) -> None:
        """Have a signal raised a moment later whose exception was dropped, or has to wait."""
        if not self.ended and _AGAIN is not None:
            signal.setitimer(signal.ITIMER_REAL, _MOMENT)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether the command, as far as it has come, is in an import."""
    while frame is not None and frame.f_code is not run.__code__:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False


_signals = _Signals()


class _Interrupted(KeyboardInterrupt):
    def __del__(self, repeat: Callable[[], None] = _signals.repeat) -> None:
        repeat()


class _Ended(SystemExit):
    def __del__(self, repeat: Callable[[], None] = _signals.repeat) -> None:
        repeat()


def run(command: Callable[[], None]) -> None:
    """Run a command such that SIGINT, SIGTERM and SIGHUP end it, its files tidied up.

    A signal that is ignored, as SIGHUP is under nohup, stays ignored.

    Raises:
        SystemExit: The command's own, or 128 + the number of the signal that came first.
    """
    usual = (signal.SIG_DFL, signal.default_int_handler)
    sys.unraisablehook = _unraisable
    try:
        for number in filter(None, (_AGAIN, *_NUMBERS)):
            if signal.getsignal(number) in usual:
                signal.signal(number, _signals.handle)
        command()
    finally:
        _signals.ended = True
        if _signals.came is not None:
            if _AGAIN is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if _signals.came == signal.SIGINT:
                with suppress(OSError):
                    print("interrupted", file=sys.stderr, flush=True)
            raise SystemExit(128 + _signals.came)


def came() -> bool:
    """Whether a signal has ended the command that `run` runs."""
    return _signals.came is not None


def _unraisable(told: Any) -> None:
    """Print an exception that Python drops, as it does by itself; not one that comes again."""
    if not isinstance(told.exc_value, _Interrupted | _Ended):
        sys.__unraisablehook__(told)
