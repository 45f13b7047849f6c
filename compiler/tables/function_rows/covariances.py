"""Covariance functions of Gaussian processes; `autoguide_core.functions.covariances` has them."""

from __future__ import annotations

from compiler.ir.types import Support
from compiler.tables.function_row import FunctionRow, constantly


def _covariance(
    name: str, parameters: tuple[str, ...], summary: str, *, stationary: bool = True
) -> FunctionRow:
    return FunctionRow(
        name,
        ("x", "x2", *parameters),
        "covariance",
        f"covariances.{name}({{items}})",
        summary,
        support=constantly(Support(lower=0.0) if stationary else Support()),
        leading_optional=True,
    )


ROWS = (
    _covariance(
        "squared_exponential", ("scale", "length"),
        "scale² exp(−r² / 2), where r is the distance over length: smooth functions.",
    ),
    _covariance(
        "matern52", ("scale", "length"),
        "Matérn covariance with ν = 5/2: functions that can be differentiated twice.",
    ),
    _covariance(
        "matern32", ("scale", "length"),
        "Matérn covariance with ν = 3/2: functions that can be differentiated once.",
    ),
    _covariance(
        "exponential_kernel", ("scale", "length"),
        "scale² exp(−r): Matérn with ν = 1/2, the Ornstein–Uhlenbeck process.",
    ),
    _covariance(
        "rational_quadratic", ("scale", "length", "mixture"),
        "scale² (1 + r² / (2 mixture))^(−mixture): a mixture of lengths.",
    ),
    _covariance(
        "periodic_kernel", ("scale", "length", "period"),
        "scale² exp(−2 sin²(π d / period) / length²), where d is the distance.",
    ),
    _covariance(
        "linear_kernel", ("scale",),
        "scale² x x2': the functions are straight lines through 0.", stationary=False,
    ),
)  # fmt: skip
