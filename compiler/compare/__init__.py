"""A second opinion on a fit: the same posterior by NUTS, side by side with the guide's.

What is exported here is imported on first use: it needs torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.compare.comparing import compare_program
    from compiler.compare.result import Comparison
    from compiler.compare.show import show_comparison

__all__ = ["Comparison", "compare_program", "show_comparison"]

_HOMES = {"Comparison": "result", "compare_program": "comparing", "show_comparison": "show"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"compiler.compare.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
