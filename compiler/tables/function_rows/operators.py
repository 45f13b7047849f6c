"""Operators."""

from __future__ import annotations

from compiler.tables.function_row import (
    UNIT,
    FunctionRow,
    add,
    constantly,
    divide,
    hull,
    multiply,
    negate,
    power,
    subtract,
)

ROWS = (
    FunctionRow("+", ("x", "y"), "elementwise", "{0} + {1}", "Sum.", "{0} + {1}", "same", add),
    FunctionRow(
        "-", ("x", "y"), "elementwise", "{0} - {1}", "Difference.", "{0} - {1}", "same",
        subtract,
    ),
    FunctionRow(
        "*", ("x", "y"), "elementwise", "{0} * {1}", "Product.", "{0} * {1}", "same", multiply
    ),
    FunctionRow(
        "/", ("x", "y"), "elementwise", "{0} / {1}", "Quotient; never rounds.", "{0} / {1}",
        "real", divide,
    ),
    FunctionRow(
        "//", ("x", "y"), "elementwise", 'torch.div({0}, {1}, rounding_mode="floor")',
        "Quotient, rounded down.",
        "{0} // {1}", "same", divide,
    ),
    FunctionRow(
        "%", ("x", "y"), "elementwise", "{0} % {1}", "Remainder, with the divisor's sign.",
        "{0} % {1}", "same",
    ),
    FunctionRow(
        "**", ("x", "y"), "elementwise", "{0} ** {1}", "Power; binds to the right.",
        "{0} ** {1}", "same", power,
    ),
    FunctionRow(
        "negative", ("x",), "elementwise", "-{0}", "Negative.", "-{0}", "same", negate
    ),
    FunctionRow("@", ("x", "y"), "matmul", "{0} @ {1}", "Matrix product."),
    *(
        FunctionRow(
            sign, ("x", "y"), "elementwise", f"{{0}} {sign} {{1}}", "Comparison.",
            f"{{0}} {sign} {{1}}", "bool", constantly(UNIT),
        )
        for sign in ("==", "!=", "<", "<=", ">", ">=")
    ),
    FunctionRow(
        "and", ("x", "y"), "elementwise", "{0} & {1}", "Both hold.", "{0} and {1}", "bool",
        constantly(UNIT),
    ),
    FunctionRow(
        "or", ("x", "y"), "elementwise", "{0} | {1}", "Either holds.", "{0} or {1}", "bool",
        constantly(UNIT),
    ),
    FunctionRow(
        "not", ("x",), "elementwise", "~{0}", "Does not hold.", "not {0}", "bool",
        constantly(UNIT),
    ),
    FunctionRow(
        "if", ("condition", "x", "y"), "elementwise", "torch.where({0}, {1}, {2})",
        "`if condition then x else y`, entry by entry.", "{1} if {0} else {2}", "same",
        lambda supports: hull(supports[1:]),
    ),
)  # fmt: skip
