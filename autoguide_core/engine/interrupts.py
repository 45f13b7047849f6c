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

    Args:
        patience: How many signals are held; those that come after them act at once. At least 1,
            so that none ends the way in or out half-way.
        including_default: Whether signals that would end the process at once are taken too. They
            then raise SystemExit(128 + number).
    """

    def __init__(self, *, patience: float = 1, including_default: bool = False) -> None:
        self._patience = patience
        self._including_default = including_default
        self._handlers: dict[int, Any] = {}
        self._waiting: int | None = None
        self._raised: BaseException | None = None

    @property
    def came(self) -> bool:
        """Whether there is something for `act` to raise."""
        return self._waiting is not None or self._raised is not None

    def act(self) -> None:
        """Hand a signal that waits to its handler, and raise what was raised without arriving.

        Raises:
            BaseException: What the handler raises: KeyboardInterrupt for Python's own of SIGINT.
        """
        if self._waiting is not None:
            number, self._waiting = self._waiting, None
            self._patience += 1
            self._hand_over(number, None)
        if self._raised is not None:
            raise self._raised

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Hold nothing while inside."""
        patience, self._patience = self._patience, 0
        try:
            yield
        finally:
            self._patience = patience

    def __enter__(self) -> Self:
        patience, self._patience = self._patience, math.inf  # until all handlers are there
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                handler = signal.getsignal(number)
                is_default = handler is signal.SIG_DFL and self._including_default
                if is_default or callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._take)
        self._patience = patience
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._patience = math.inf
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._raised is None or self._raised is not error:
            self.act()

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._patience > 0:
            self._patience -= 1
            self._waiting = number
        else:
            self._hand_over(number, frame)

    def _hand_over(self, number: int, frame: FrameType | None) -> None:
        handler = self._handlers[number]
        try:
            if handler is signal.SIG_DFL:
                raise SystemExit(128 + number)
            handler(number, frame)
        except BaseException as error:
            self._raised = error
            raise
