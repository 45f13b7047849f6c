"""Compiled code that was found wrong, told to whoever listens: it may lie deep within a model.

A step's or a density's code has its own way to say why it is not used. That of an equation inside
a model, or of a density that is compiled after a fit, has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_told: ContextVar[list[str] | None] = ContextVar("_told", default=None)


@contextmanager
def refusals() -> Iterator[list[str]]:
    """Gather what is reported inside, each once; whoever listens around it hears it, too."""
    around, here = _told.get(), list[str]()
    token = _told.set(here)
    try:
        yield here
    finally:
        _told.reset(token)
        for reason in here:
            _add(around, reason)


def unsaid(told: Sequence[str], said: Sequence[str]) -> list[str]:
    """What was reported and is no part of anything said to the user already, as notes."""
    missing = [reason for reason in told if not any(reason in sentence for sentence in said)]
    return [f"evaluated by the graph, not compiled: {reason}" for reason in missing]


def tell(reason: str) -> None:
    """Tell why compiled code is not used, as a clause for the user."""
    _add(_told.get(), reason)


def _add(listeners: list[str] | None, reason: str) -> None:
    if listeners is not None and reason not in listeners:
        listeners.append(reason)
