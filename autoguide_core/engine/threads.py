"""How many threads a fit uses: small steps are faster on one than shared out among several."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

SMALL = 500_000
"""Numbers of data below which a step is too short to be shared out.

Handing a loop to a second thread costs microseconds on an idle machine, and milliseconds where
another process holds the second core.
"""


@contextlib.contextmanager
def suitable_threads(*data: Any) -> Iterator[None]:
    """Use one thread inside if the tensors in `data` (any nesting) are small in all."""
    numbers = sum(leaf.numel() for leaf in tree_leaves(data) if isinstance(leaf, torch.Tensor))
    before = torch.get_num_threads()
    if numbers < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
