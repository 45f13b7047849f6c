"""A fit's own surroundings: its parameter store, its random numbers, its validation."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyro
import torch
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


@contextlib.contextmanager
def unvalidated() -> Iterator[None]:
    """Let no distribution check its arguments and values while inside.

    Pyro's flag holds for those that are made inside. One that was made before with ``expand``, a
    ``PyroSample`` of a module say, keeps the flag of its own, and each check reads values.
    """
    with _checks.off(), pyro.validation_enabled(False):
        yield


class _Checks:
    """The check that torch's distributions make of values, while some threads do without it.

    They may leave in another order than they came in, so it is put back by the last.
    """

    def __init__(self) -> None:
        self._check = Distribution._validate_sample
        self._without: set[object] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        mine = object()
        try:
            self._without.add(mine)
            self._take_effect()
            yield
        finally:
            self._without.discard(mine)
            self._take_effect()

    def _take_effect(self) -> None:
        with self._lock:
            Distribution._validate_sample = _unchecked if self._without else self._check


def _unchecked(distribution: Distribution, value: torch.Tensor) -> None:
    """Takes the place of the check of a value."""


_checks = _Checks()
