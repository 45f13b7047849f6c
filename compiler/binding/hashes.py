"""What tells data from others: the SHA-256 of files as they were read, and of values in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from compiler.binding.sources import Source
from compiler.binding.stored import Stored


def data_hashes(sources: Sequence[Source], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of every data file, and one of the bound values where some are in memory.

    Args:
        sources: The sources as they were read.
        values: The bound data.
    """
    hashes = {name: digest for source in sources for name, digest in source.hashes.items()}
    if not all(source.hashes for source in sources):
        hashes["in memory"] = _digest(values)
    return hashes


def _digest(values: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(values.items()):
        digest.update(f"{name}=".encode())
        tensor = value.values if isinstance(value, Stored) else value
        if isinstance(tensor, torch.Tensor):
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).reshape(-1).data)
    return digest.hexdigest()
