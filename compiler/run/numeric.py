"""The floating type and the device of a fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from compiler.diagnostics import Diagnostics

DTYPES = {"float64": torch.float64, "float32": torch.float32}


def check_numeric(dtype: str, device: str, diagnostics: Diagnostics) -> None:
    """Report a floating type that is not one of `DTYPES`, and a device that is not there."""
    if dtype not in DTYPES:
        diagnostics.report(
            "PPL081", None, f"there is no dtype {dtype!r}", f"use {' or '.join(DTYPES)}"
        )
    try:
        torch.zeros(1, device=device).item()  # a device that has no numbers is none
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        there = _devices()
        kind = device.split(":")[0]
        known = kind in ("cuda", "mps") and not any(one.startswith(kind) for one in there)
        reason = f"this machine has no {kind}" if known else str(error).splitlines()[0]
        diagnostics.report(
            "PPL081",
            None,
            f"device {device!r} cannot be used: {reason}",
            f"use {' or '.join(there)}",
        )
        return
    if device.startswith("mps") and dtype == "float64":
        diagnostics.report("PPL081", None, "mps has no float64", "use --dtype float32")


def _devices() -> list[str]:
    """Return the devices that this machine has."""
    devices = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return [*devices, "mps"] if torch.backends.mps.is_available() else devices


@contextlib.contextmanager
def numeric(dtype: str, device: str) -> Iterator[None]:
    """Make new tensors of this floating type and on this device while inside."""
    # torch's device context costs Python time at each operation; the CPU is the default anyway.
    placed = contextlib.nullcontext() if device == "cpu" else torch.device(device)
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[dtype])
    try:
        with placed:
            yield
    finally:
        torch.set_default_dtype(before)
