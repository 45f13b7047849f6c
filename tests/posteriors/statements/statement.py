"""What a statement of a posterior is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Values = dict[str, Any]
"""Numbers and arrays by name: data as the file has them, or parameters in their own space."""


@dataclass(frozen=True)
class Statement:
    """A posterior, written down a second time.

    Attributes:
        parameters: The names of its parameters.
        log_density: The log of prior times likelihood, of data and parameters; up to a constant.
        tolerance: How far it may be from another statement, relative to the log density.
    """

    parameters: tuple[str, ...]
    log_density: Callable[[Values, Values], Any]
    tolerance: float = 1e-8


def design(*columns: Any) -> Any:
    """Return a matrix of these columns, a column of ones in front."""
    return np.column_stack([np.ones(len(columns[0])), *columns])
