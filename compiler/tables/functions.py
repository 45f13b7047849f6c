"""The functions and operators of the language, put together from their groups."""

from __future__ import annotations

from compiler.tables.function_row import FunctionRow
from compiler.tables.function_rows import (
    along,
    constructors,
    covariances,
    curves,
    elementwise,
    equations,
    linear_algebra,
    operators,
    reductions,
)

OPERATORS: dict[str, FunctionRow] = {row.name: row for row in operators.ROWS}
"""Operators, by the sign that the author writes (`negative` for the prefix minus)."""

FUNCTION_GROUPS: dict[str, tuple[FunctionRow, ...]] = {
    "Entry by entry": elementwise.ROWS,
    "Reductions": reductions.ROWS,
    "Along the last dim": along.ROWS,
    "Linear algebra": linear_algebra.ROWS,
    "Covariances of Gaussian processes": covariances.ROWS,
    "Curves": curves.ROWS,
    "Differential equations": equations.ROWS,
    "Making arrays": constructors.ROWS,
}
"""The functions as the reference groups them."""

FUNCTIONS: dict[str, FunctionRow] = {
    row.name: row for group in FUNCTION_GROUPS.values() for row in group
}
"""All functions that an author can call, by name."""
