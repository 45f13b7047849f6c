"""Running a fit: from a checked program and data to a posterior, its summary and its files.

What is exported here is imported on first use: it needs torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.run.fit import compile_and_fit
    from compiler.run.fitting import fit_data_sets, fit_program
    from compiler.run.result import Fit
    from compiler.run.show import show_fit

__all__ = ["Fit", "compile_and_fit", "fit_data_sets", "fit_program", "show_fit"]

_HOMES = {
    "Fit": "result",
    "compile_and_fit": "fit",
    "fit_data_sets": "fitting",
    "fit_program": "fitting",
    "show_fit": "show",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"compiler.run.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
