"""Differential equations."""

from __future__ import annotations

from compiler.tables.function_row import FunctionRow

ROWS = (
    FunctionRow(
        "ode", ("f", "z0", "t0", "ts", "*arguments"), "ode", "odes.solve({items})",
        "The z with dz/dt = f(t, z, *arguments) and z = z0 at t0, at the times ts; "
        "`method`, `steps`, `rtol` and `atol` as the language reference says.",
        optional=1,
    ),
)  # fmt: skip
