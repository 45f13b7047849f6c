"""What a fit was made with: versions, platform, and hashes of the spec and of the data."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compiler.binding.stored import Stored

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


def data_hashes(sources: Any, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every data file, and of the bound values where they are in memory.

    Args:
        sources: The sources as given.
        values: The bound data.
    """
    listed = sources if isinstance(sources, list | tuple) else [sources]
    hashes = {}
    for source in listed:
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            for one in sorted(path.glob("*.npy")) if path.is_dir() else [path]:
                with one.open("rb") as file:
                    hashes[str(one)] = hashlib.file_digest(file, "sha256").hexdigest()
        elif source is not None:
            digest = hashlib.sha256()
            for name, value in sorted(values.items()):
                digest.update(f"{name}=".encode())
                tensor = value.values if isinstance(value, Stored) else value
                if isinstance(tensor, torch.Tensor):
                    digest.update(np.ascontiguousarray(tensor.cpu().numpy()).reshape(-1).data)
            hashes["in memory"] = digest.hexdigest()
    return hashes
