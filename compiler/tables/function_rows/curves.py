"""Curves through and over data; `autoguide_core.functions.curves` has them."""

from __future__ import annotations

from compiler.tables.function_row import FunctionRow

ROWS = (
    FunctionRow(
        "interpolate", ("t", "places", "values"), "interpolate", "curves.interpolate({items})",
        "The value at t of the line through a table's points; beyond its ends it stays flat.",
    ),
    FunctionRow(
        "bspline", ("x", "dim", "of"), "basis", "curves.bspline({items})",
        "Cubic B-splines at the data x, as many as dim says; the knots are quantiles of x, or of "
        "other data, so that `bspline(x_new, dim, x)` goes with `bspline(x, dim)`.",
        optional=1,
    ),
)  # fmt: skip
