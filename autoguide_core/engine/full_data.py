"""Running a model that trains on minibatches over all of its data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pyro.poutine.subsample_messenger import SubsampleMessenger


@contextlib.contextmanager
def full_data() -> Iterator[None]:
    """While inside, ``pyro.plate(..., subsample_size=…)`` takes every index, in order.

    Indices given as ``subsample=`` are kept: the caller chose them. Pyro offers no handler for
    this (a plate refuses a value whose length is not its ``subsample_size``), so the plate's own
    function is wrapped for the time being.
    """
    original = SubsampleMessenger._subsample

    def whole(
        name: str,
        size: int | None = None,
        subsample_size: int | None = None,
        subsample: Any = None,
        use_cuda: bool | None = None,
        device: str | None = None,
    ) -> Any:
        if subsample is None and size is not None:
            subsample_size = None
        return original(name, size, subsample_size, subsample, use_cuda, device)

    SubsampleMessenger._subsample = staticmethod(whole)
    try:
        yield
    finally:
        SubsampleMessenger._subsample = staticmethod(original)
