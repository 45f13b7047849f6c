"""How numbers are written in the report."""

from __future__ import annotations

import math


def number(value: object) -> str:
    """Return a number with four significant digits, and anything else as it prints itself."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    return f"{value:.4g}".replace("-", "−")


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 site`, `1,200 sites`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
