"""A fit's own surroundings: its parameter store and its random numbers."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyro
import torch
from pyro.params.param_store import ParamStoreDict
from torch import Tensor, nn

StoreState = dict[str, Any]


@contextlib.contextmanager
def own_store(state: StoreState) -> Iterator[None]:
    """Swap Pyro's global parameter store for ``state`` while inside.

    It is used whatever the setting ``module_local_params``: modules hold their own parameters
    then, but what functions ask for has to be somewhere.

    The tensors themselves are kept, so that a user's modules and optimizers still hold the same
    objects afterwards. What was stored inside is written to ``state`` on the way out, after an
    error too. What is frozen in a module (its ``requires_grad`` is False) stays so.

    Args:
        state: ``{"params": …, "constraints": …}``, changed in place; empty for a fresh store.
    """
    store = pyro.get_param_store()
    state.setdefault("params", {})
    state.setdefault("constraints", {})
    with (
        store.scope(state),
        pyro.settings.context(module_local_params=False),
        _frozen_stay_so(store),
    ):
        try:
            yield
        finally:
            state.update(store.get_state())


@contextlib.contextmanager
def _frozen_stay_so(store: ParamStoreDict) -> Iterator[None]:
    """Keep what is frozen in modules so: the store switches gradients on in what it takes in.

    Only the store sees all that it takes in: a module may be closed over by a model, appear late,
    or be asked for where a handler hides it.
    """
    before, take_in = vars(store).get("setdefault"), store.setdefault

    def take_in_as_it_is(name: str, first: Any, *constraint: Any, **keywords: Any) -> Tensor:
        is_frozen = isinstance(first, nn.Parameter) and not first.requires_grad
        value = take_in(name, first, *constraint, **keywords)
        if is_frozen:
            first.requires_grad_(False)
        return value

    vars(store)["setdefault"] = take_in_as_it_is
    try:
        yield
    finally:
        del vars(store)["setdefault"]
        if before is not None:
            vars(store)["setdefault"] = before


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
