"""Pyro's checks of distributions, of losses and of traces: off or on for a while."""

from __future__ import annotations

import threading
import weakref
from typing import ClassVar

import pyro.distributions as dist
import torch
from pyro import infer, poutine
from torch.distributions import Distribution

_CHECKING = (dist, infer, poutine)
"""The parts of Pyro that each have a flag for it."""


class Validation:
    """Switches Pyro's checks on or off while inside, or (None) only puts them back afterwards.

    As ``pyro.validation_enabled``, with three differences.

    - It acts at once or never: an interrupt may leave a generator suspended, which then puts back
      what it has found whenever it is collected.
    - Threads may leave in another order than they came in: the checks are put back as they were
      before the first came, by the last to leave. Until then they are off where the innermost of
      any thread wants them off.
    - Off is off for distributions of before too. One that was made with ``expand``, a
      ``PyroSample`` of a module say, keeps the flag of its own, and each check reads values.
    """

    _check = Distribution._validate_sample
    _inside: ClassVar[list[weakref.ref[Validation]]] = []
    _outside: ClassVar[tuple[bool, ...]] = ()
    _lock = threading.RLock()  # a collected generator may leave while its thread holds it

    def __init__(self, enabled: bool | None) -> None:
        self._enabled = enabled
        self._thread = 0

    def __enter__(self) -> None:
        self._thread = threading.get_ident()
        with self._lock:
            if not self._those_inside():
                Validation._outside = tuple(part.is_validation_enabled() for part in _CHECKING)
            self._inside.append(weakref.ref(self))
            self._take_effect()

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside[:] = [weakref.ref(other) for other in self._those_inside(but=self)]
            self._take_effect()

    @classmethod
    def _those_inside(cls, but: Validation | None = None) -> list[Validation]:
        """Those whom no interrupt kept from leaving, in the order in which they came."""
        present = (reference() for reference in cls._inside)
        return [other for other in present if other is not None and other is not but]

    @classmethod
    def _take_effect(cls) -> None:
        innermost = {
            other._thread: other._enabled
            for other in cls._those_inside()
            if other._enabled is not None
        }
        wanted = all(innermost.values()) if innermost else None
        for part, before in zip(_CHECKING, cls._outside, strict=True):
            part.enable_validation(before if wanted is None else wanted)
        Distribution._validate_sample = _unchecked if wanted is False else cls._check

    @classmethod
    def check_again(cls, distribution: Distribution, value: torch.Tensor) -> None:
        """Check a value all the same, once none is inside whom an interrupt kept from leaving."""
        with cls._lock:
            present = cls._those_inside()
            if not present:
                cls._take_effect()
        if not present:
            cls._check(distribution, value)


def _unchecked(distribution: Distribution, value: torch.Tensor) -> None:
    """Takes the place of the check of a value."""
    Validation.check_again(distribution, value)
