"""Running a model with each of its subsampled plates at its full size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyro.poutine.subsample_messenger import SubsampleMessenger


@contextmanager
def full_size_model() -> Iterator[None]:
    """While inside, ``pyro.plate(..., subsample_size=…)`` takes every index, in order.

    Indices that are given (``subsample=``) stay: the caller chose them. Pyro has no handler for
    this, since a plate refuses a value whose length is not its ``subsample_size``; so the function
    in which plates choose their indices is wrapped for the time being.
    """
    original = SubsampleMessenger._subsample

    def choose(
        name: str,
        size: int | None = None,
        subsample_size: int | None = None,
        subsample: Any = None,
        *options: Any,
    ) -> Any:
        if subsample is None and size is not None:
            subsample_size = None
        return original(name, size, subsample_size, subsample, *options)

    SubsampleMessenger._subsample = staticmethod(choose)
    try:
        yield
    finally:
        SubsampleMessenger._subsample = staticmethod(original)
