"""What a fit was made with: versions, platform, and hashes of the spec and of the data."""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime
from importlib import metadata

import torch

_PACKAGES = ("pplc", "torch", "pyro-ppl", "arviz", "numpy", "pandas", "xarray")


def versions() -> dict[str, str]:
    """Return the versions of everything that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def now() -> str:
    """Return the time to the minute, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def machine() -> dict[str, str]:
    """Return the platform and the number of threads."""
    return {"platform": platform.platform(), "threads": str(torch.get_num_threads())}


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
