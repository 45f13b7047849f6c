"""What a case of parity is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Pair = tuple[Callable[..., Any], Any]


@dataclass(frozen=True)
class Case:
    """A model and its guide.

    Attributes:
        make: Makes both; called with the default dtype that they shall have.
        elbo: The estimator of Pyro's to compare with: ``trace``, ``enum`` or ``graph``.
        depth: How many plates are nested, for ``enum``.
    """

    make: Callable[[], Pair]
    elbo: str = "trace"
    depth: int = 1
