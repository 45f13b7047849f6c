"""What every test of the guides, the engine and the posterior starts from."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pyro
import pytest


@pytest.fixture(autouse=True)
def _fresh_store() -> Iterator[None]:
    """An empty parameter store and a fixed seed."""
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    yield
    pyro.clear_param_store()


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """Python's own handlers: a shell that runs the tests in the background ignores interrupts."""
    usual: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
