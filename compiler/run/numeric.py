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
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        asked = device.split(":")[0]
        there = ["cpu"]
        if torch.cuda.is_available():
            there += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        if torch.backends.mps.is_available():
            there.append("mps")
        known = "cuda" in there[-1] or asked not in ("cuda", "mps")
        reason = str(error).splitlines()[0] if known else f"this machine has no {asked}"
        diagnostics.report(
            "PPL081",
            None,
            f"device {device!r} cannot be used: {reason}",
            f"use {' or '.join(there)}",
        )
        return
    if asked_mps_double(dtype, device):
        diagnostics.report("PPL081", None, "mps has no float64", "use --dtype float32")


def asked_mps_double(dtype: str, device: str) -> bool:
    """Whether double precision is asked of a device that has none."""
    return device.startswith("mps") and dtype == "float64"


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
