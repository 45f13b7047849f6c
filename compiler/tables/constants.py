"""Numbers of mathematics that have a name in every spec, unless it gives the name away."""

from __future__ import annotations

import math
from collections.abc import Mapping

CONSTANTS: Mapping[str, float] = {"pi": math.pi}
"""The numbers, by name."""
