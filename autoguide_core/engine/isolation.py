"""A fit's own surroundings: its parameter store, its random numbers, its validation."""

from __future__ import annotations

import contextlib
import random
import threading
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyro
import pyro.distributions as dist
import torch
from pyro import infer, poutine
from torch.distributions import Distribution

StoreState = dict[str, Any]


@contextlib.contextmanager
def own_store(state: StoreState) -> Iterator[None]:
    """Swap Pyro's global parameter store for ``state`` while inside.

    It is used whatever the setting ``module_local_params``: modules hold their own parameters
    then, but what functions ask for has to be somewhere.

    The tensors themselves are kept, so that a user's modules and optimizers still hold the same
    objects afterwards. What was stored inside is written to ``state`` on the way out, after an
    error too.

    Args:
        state: ``{"params": …, "constraints": …}``, changed in place; empty for a fresh store.
    """
    store = pyro.get_param_store()
    state.setdefault("params", {})
    state.setdefault("constraints", {})
    with store.scope(state), pyro.settings.context(module_local_params=False):
        try:
            yield
        finally:
            state.update(store.get_state())


@contextlib.contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed torch, numpy and ``random`` while inside, and put their states back after.

    The generators of GPUs are forked too, where the process uses any; where it does not, they are
    not started for that, but would start as they would have without.
    """
    used = torch.cuda.is_initialized()
    devices = list(range(torch.cuda.device_count())) if used else []
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=devices):
            pyro.set_rng_seed(seed)
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if not used:
            torch.cuda.manual_seed_all(torch.initial_seed())


def python_generators() -> tuple[Any, ...]:
    """The states of the global generators of ``random`` and numpy, to be compared."""
    name, keys, *rest = np.random.get_state()
    return random.getstate(), (name, np.asarray(keys).tobytes(), *rest)


class Validation:
    """Switches Pyro's checks on or off while inside, or (None) only puts them back afterwards.

    As ``pyro.validation_enabled``, but at once or never: an interrupt may leave a generator
    suspended, which then puts back what it has found whenever it is collected.
    """

    def __init__(self, enabled: bool | None) -> None:
        self._enabled = enabled

    def __enter__(self) -> None:
        self._before = [part.is_validation_enabled() for part in (dist, infer, poutine)]
        if self._enabled is not None:
            pyro.enable_validation(self._enabled)

    def __exit__(self, *exception: object) -> None:
        for part, enabled in zip((dist, infer, poutine), self._before, strict=True):
            part.enable_validation(enabled)


class Unvalidated(Validation):
    """Lets no distribution check its arguments and values while inside.

    Pyro's flag holds for those that are made inside. One that was made before with ``expand``, a
    ``PyroSample`` of a module say, keeps the flag of its own, and each check reads values. Threads
    may leave in another order than they came in: the last one puts that check back.
    """

    _check = Distribution._validate_sample
    _inside: ClassVar[weakref.WeakSet[Unvalidated]] = weakref.WeakSet()
    _lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__(enabled=False)

    def __enter__(self) -> None:
        self._inside.add(self)
        self._take_effect()
        super().__enter__()

    def __exit__(self, *exception: object) -> None:
        try:
            super().__exit__(*exception)
        finally:
            self._inside.discard(self)
            self._take_effect()

    @classmethod
    def _take_effect(cls) -> None:
        with cls._lock:
            Distribution._validate_sample = _unchecked if cls._inside else cls._check

    @classmethod
    def check_again(cls, distribution: Distribution, value: torch.Tensor) -> None:
        """Check a value all the same, once none is inside whom an interrupt kept from leaving."""
        if not cls._inside:
            cls._take_effect()
            cls._check(distribution, value)


def _unchecked(distribution: Distribution, value: torch.Tensor) -> None:
    """Takes the place of the check of a value."""
    Unvalidated.check_again(distribution, value)
