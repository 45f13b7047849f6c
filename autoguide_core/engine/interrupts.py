"""Signals that end a program (Ctrl-C, SIGTERM, SIGHUP): held for a while, and never lost.

Python runs a signal's handler between any two instructions of the main thread, and the exception
that it raises does not always arrive: where it is raised in a callback from C, in ``__del__`` or
in the callback of a weak reference, Python prints it and goes on. So what a handler raised is kept
here, and raised once more at the next place that is safe.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Self

_NUMBERS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupts:
    """Stands before the handlers of such signals while inside, in the main thread, which has them.

    A signal that comes is handed to the handler that was there before: at once, or at the next
    `act` where it is held. What that raises is raised again at the next `act`, and at the latest
    on the way out, unless it is on its way out already. A signal that is ignored stays ignored,
    and one that ends the process without Python's help does so, unless it is held.

    Inside another one it is that one's patience that changes for a while.

    Args:
        patience: How many signals are held; those that come after them act at once. At least 1,
            so that none ends the way in or out half-way.
        including_default: Whether signals that would end the process at once are taken too. They
            then raise SystemExit(128 + number).
    """

    _present: _Desk | None = None

    def __init__(self, *, patience: float = 1, including_default: bool = False) -> None:
        self._patience = patience
        self._including_default = including_default
        self._desk = _Desk()
        self._before: float | None = None

    @property
    def came(self) -> bool:
        """Whether there is something for `act` to raise."""
        return self._desk.waiting is not None or self._desk.raised is not None

    def act(self) -> None:
        """Hand a signal that waits to its handler, and raise what was raised without arriving.

        Raises:
            BaseException: What the handler raises: KeyboardInterrupt for Python's own of SIGINT.
        """
        self._desk.act()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Hold nothing while inside."""
        patience, self._desk.patience = self._desk.patience, 0
        try:
            yield
        finally:
            self._desk.patience = patience

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        if Interrupts._present is None:
            self._desk.open(including_default=self._including_default)
            Interrupts._present = self._desk
        else:
            self._desk = Interrupts._present
            self._before = self._desk.patience
        self._desk.patience = self._patience
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._before is not None:
            self._desk.patience = self._before
            if self._before > 0:
                return  # whoever is outside will act
        elif self._desk is Interrupts._present:
            Interrupts._present = None
            self._desk.close()
        if self._desk.raised is None or self._desk.raised is not error:
            self._desk.act()


class _Desk:
    """Where signals come in."""

    def __init__(self) -> None:
        self.patience: float = 0
        self.waiting: int | None = None
        self.raised: BaseException | None = None
        self._handlers: dict[int, Any] = {}

    def open(self, *, including_default: bool) -> None:
        self.patience = math.inf  # until all handlers are there
        try:
            for number in _NUMBERS:
                handler = signal.getsignal(number)
                is_default = handler is signal.SIG_DFL and including_default
                if is_default or callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._take)
        except BaseException:  # by a handler that is not replaced yet
            self.close()
            raise

    def close(self) -> None:
        self.patience = math.inf
        try:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        except BaseException:  # by a handler that is back already
            self.close()
            raise

    def act(self) -> None:
        if self.waiting is not None:
            number, self.waiting = self.waiting, None
            self.patience += 1
            self._hand_over(number, None)
        if self.raised is not None:
            raise self.raised

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.patience > 0:
            self.patience -= 1
            self.waiting = number
        else:
            self._hand_over(number, frame)

    def _hand_over(self, number: int, frame: FrameType | None) -> None:
        handler = self._handlers[number]
        try:
            if handler is signal.SIG_DFL:
                raise SystemExit(128 + number)
            handler(number, frame)
        except BaseException as error:
            self.raised = error
            raise
