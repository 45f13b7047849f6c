"""Functions of single numbers, applied entry by entry."""

from __future__ import annotations

import math
from collections.abc import Sequence

from compiler.ir.types import Support
from compiler.tables.function_row import (
    POSITIVE,
    REAL,
    UNIT,
    FunctionRow,
    SupportRule,
    at_least,
    at_most,
    constantly,
    monotone,
)


def _exp_support(supports: Sequence[Support]) -> Support:
    inner = monotone(math.exp)(supports)
    return Support(lower=inner.lower or 0.0, upper=inner.upper)


def _sqrt_support(supports: Sequence[Support]) -> Support:
    inner = monotone(math.sqrt)(supports)
    return Support(lower=inner.lower or 0.0, upper=inner.upper)


_ANY = constantly(REAL)


def _unary(
    name: str,
    summary: str,
    support: SupportRule = _ANY,
    *,
    template: str | None = None,
    scalar: str | None = None,
) -> FunctionRow:
    return FunctionRow(
        name,
        ("x",),
        "elementwise",
        template or f"torch.{name}({{0}})",
        summary,
        scalar,
        "real",
        support,
    )


ROWS = (
    _unary("exp", "Exponential.", _exp_support, scalar="math.exp({0})"),
    _unary("log", "Natural logarithm.", monotone(math.log), scalar="math.log({0})"),
    _unary("log2", "Logarithm to base 2.", monotone(math.log2), scalar="math.log2({0})"),
    _unary("log10", "Logarithm to base 10.", monotone(math.log10), scalar="math.log10({0})"),
    _unary("log1p", "log(1 + x), accurate near 0.", monotone(math.log1p), scalar="math.log1p({0})"),
    _unary("expm1", "exp(x) − 1, accurate near 0.", monotone(math.expm1), scalar="math.expm1({0})"),
    _unary("sqrt", "Square root.", _sqrt_support, scalar="math.sqrt({0})"),
    _unary("square", "x ** 2.", constantly(POSITIVE)),
    _unary("abs", "Absolute value.", constantly(POSITIVE), scalar="abs({0})"),
    _unary("sign", "−1, 0 or 1.", constantly(Support(lower=-1.0, upper=1.0))),
    _unary("floor", "Rounded down.", monotone(math.floor), scalar="math.floor({0})"),
    _unary("ceil", "Rounded up.", monotone(math.ceil), scalar="math.ceil({0})"),
    _unary("round", "Rounded to the nearest whole number, halves to even.", monotone(round)),
    _unary("sin", "Sine of radians.", constantly(Support(lower=-1.0, upper=1.0)),
           scalar="math.sin({0})"),
    _unary("cos", "Cosine of radians.", constantly(Support(lower=-1.0, upper=1.0)),
           scalar="math.cos({0})"),
    _unary("tan", "Tangent of radians.", scalar="math.tan({0})"),
    _unary("asin", "Inverse sine, in radians.", scalar="math.asin({0})"),
    _unary("acos", "Inverse cosine, in radians.", constantly(POSITIVE), scalar="math.acos({0})"),
    _unary("atan", "Inverse tangent, in radians.", monotone(math.atan), scalar="math.atan({0})"),
    _unary("sinh", "Hyperbolic sine.", monotone(math.sinh), scalar="math.sinh({0})"),
    _unary("cosh", "Hyperbolic cosine.", constantly(Support(lower=1.0)), scalar="math.cosh({0})"),
    _unary("tanh", "Hyperbolic tangent.", constantly(Support(lower=-1.0, upper=1.0)),
           scalar="math.tanh({0})"),
    _unary("asinh", "Inverse hyperbolic sine.", monotone(math.asinh), scalar="math.asinh({0})"),
    _unary("atanh", "Inverse hyperbolic tangent.", scalar="math.atanh({0})"),
    _unary("log1m_exp", "log(1 − exp(x)) for x < 0, accurate near 0 and far below.",
           constantly(Support(upper=0.0)),
           template="special.log1m_exp({0})"),
    _unary("sigmoid", "Logistic function, 1 / (1 + exp(−x)); the inverse of logit.",
           constantly(UNIT)),
    _unary("log_sigmoid", "log(sigmoid(x)), accurate in the tails.",
           constantly(Support(upper=0.0)), template="special.log_sigmoid({0})"),
    _unary("logit", "Log odds, log(p / (1 − p)).", template="special.logit({0})"),
    _unary("softplus", "log(1 + exp(x)); always positive.", constantly(POSITIVE),
           template="torch.nn.functional.softplus({0})"),
    _unary("relu", "The larger of x and 0.", constantly(POSITIVE)),
    _unary("erf", "Error function.", constantly(Support(lower=-1.0, upper=1.0)),
           scalar="math.erf({0})"),
    _unary("erfc", "Complement of the error function.", constantly(Support(lower=0.0, upper=2.0)),
           scalar="math.erfc({0})"),
    _unary("normal_cdf", "Distribution function of the standard normal (Stan's Phi).",
           constantly(UNIT), template="torch.special.ndtr({0})"),
    _unary("log_normal_cdf", "log(normal_cdf(x)), accurate in the tail.",
           constantly(Support(upper=0.0)), template="special.log_normal_cdf({0})"),
    _unary("normal_quantile", "Inverse of normal_cdf (the probit).",
           template="torch.special.ndtri({0})"),
    _unary("inv_cloglog", "1 − exp(−exp(x)): inverse of the complementary log-log.",
           constantly(UNIT), template="-torch.expm1(-torch.exp({0}))"),
    _unary("cloglog", "Complementary log-log of a probability, log(−log(1 − p)).",
           template="torch.log(-torch.log1p(-{0}))"),
    _unary("lgamma", "Logarithm of the gamma function.", scalar="math.lgamma({0})"),
    _unary("digamma", "Derivative of lgamma."),
    _unary("log_factorial", "log(x!).", constantly(POSITIVE), template="torch.lgamma({0} + 1.0)",
           scalar="math.lgamma({0} + 1.0)"),
    FunctionRow(
        "lbeta", ("a", "b"), "elementwise",
        "torch.lgamma({0}) + torch.lgamma({1}) - torch.lgamma({0} + {1})",
        "Logarithm of the beta function.",
    ),
    FunctionRow(
        "log_choose", ("n", "k"), "elementwise",
        "torch.lgamma({0} + 1.0) - torch.lgamma({1} + 1.0) - torch.lgamma({0} - {1} + 1.0)",
        "Logarithm of the binomial coefficient.", None, "real", constantly(POSITIVE),
    ),
    FunctionRow(
        "choose", ("n", "k"), "elementwise",
        "torch.exp(torch.lgamma({0} + 1.0) - torch.lgamma({1} + 1.0) "
        "- torch.lgamma({0} - {1} + 1.0))",
        "Binomial coefficient, the number of ways to choose k of n.", None, "real",
        constantly(POSITIVE),
    ),
    FunctionRow("xlogy", ("x", "y"), "elementwise", "torch.xlogy({0}, {1})",
                "x log(y), which is 0 where x is."),
    FunctionRow("atan2", ("y", "x"), "elementwise", "torch.atan2({0}, {1})",
                "Angle of the point (x, y), in radians."),
    FunctionRow("logaddexp", ("x", "y"), "elementwise", "torch.logaddexp({0}, {1})",
                "log(exp(x) + exp(y)), without overflow."),
    FunctionRow(
        "log_diff_exp", ("x", "y"), "elementwise", "{0} + special.log1m_exp({1} - {0})",
        "log(exp(x) − exp(y)) for x > y, without overflow.",
    ),
    FunctionRow("minimum", ("x", "y"), "elementwise", "torch.minimum({0}, {1})",
                "The smaller of two values, entry by entry.", "min({0}, {1})", "same", at_most),
    FunctionRow("maximum", ("x", "y"), "elementwise", "torch.maximum({0}, {1})",
                "The larger of two values, entry by entry.", "max({0}, {1})", "same", at_least),
    FunctionRow(
        "clip", ("x", "lower", "upper"), "elementwise", "torch.clip({0}, {1}, {2})",
        "x, held between two bounds.", "min(max({0}, {1}), {2})", "same",
        lambda s: Support(lower=s[1].lower, upper=s[2].upper),
    ),
)  # fmt: skip
