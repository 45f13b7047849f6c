"""A fit's own surroundings: its parameter store, its random numbers, its validation flag."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyro
import torch

StoreState = dict[str, Any]


@contextlib.contextmanager
def own_store(state: StoreState) -> Iterator[None]:
    """Swap Pyro's global parameter store for ``state`` while inside.

    The tensors themselves are kept, so that a user's modules and optimizers still hold the same
    objects afterwards. What was stored inside is written to ``state`` on the way out, after an
    error too.

    Args:
        state: ``{"params": …, "constraints": …}``, changed in place; empty for a fresh store.
    """
    store = pyro.get_param_store()
    state.setdefault("params", {})
    state.setdefault("constraints", {})
    with store.scope(state):
        try:
            yield
        finally:
            state.update(store.get_state())


@contextlib.contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed torch, numpy and ``random`` while inside, and put their states back after."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=devices):
            pyro.set_rng_seed(seed)
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
