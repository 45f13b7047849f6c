"""The functions and operators of the language: a row each, and the only place to add one."""

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
    add,
    at_least,
    at_most,
    constantly,
    divide,
    hull,
    monotone,
    multiply,
    negate,
    power,
    same,
    subtract,
    summed,
)


def _exp_support(supports: Sequence[Support]) -> Support:
    inner = monotone(math.exp)(supports)
    return Support(lower=inner.lower or 0.0, upper=inner.upper)


def _sqrt_support(supports: Sequence[Support]) -> Support:
    inner = monotone(math.sqrt)(supports)
    return Support(lower=inner.lower or 0.0, upper=inner.upper)


OPERATORS: dict[str, FunctionRow] = {
    row.name: row
    for row in (
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
            "//", ("x", "y"), "elementwise", "{0} // {1}", "Quotient, rounded down.",
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
    )
}  # fmt: skip
"""Operators, by the sign that the author writes (`negative` for the prefix minus)."""


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


_ELEMENTWISE = (
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
    _unary("sigmoid", "Logistic function, 1 / (1 + exp(−x)); the inverse of logit.",
           constantly(UNIT)),
    _unary("log_sigmoid", "log(sigmoid(x)), accurate in the tails.",
           constantly(Support(upper=0.0)), template="torch.nn.functional.logsigmoid({0})"),
    _unary("logit", "Log odds, log(p / (1 − p)).", template="torch.logit({0})"),
    _unary("softplus", "log(1 + exp(x)); always positive.", constantly(POSITIVE),
           template="torch.nn.functional.softplus({0})"),
    _unary("relu", "The larger of x and 0.", constantly(POSITIVE)),
    _unary("erf", "Error function.", constantly(Support(lower=-1.0, upper=1.0)),
           scalar="math.erf({0})"),
    _unary("erfc", "Complement of the error function.", constantly(Support(lower=0.0, upper=2.0)),
           scalar="math.erfc({0})"),
    _unary("normal_cdf", "Distribution function of the standard normal (Stan's Phi).",
           constantly(UNIT), template="torch.special.ndtr({0})"),
    _unary("normal_quantile", "Inverse of normal_cdf (the probit).",
           template="torch.special.ndtri({0})"),
    _unary("inv_cloglog", "1 − exp(−exp(x)): inverse of the complementary log-log.",
           constantly(UNIT), template="-torch.expm1(-torch.exp({0}))"),
    _unary("lgamma", "Logarithm of the gamma function.", scalar="math.lgamma({0})"),
    _unary("digamma", "Derivative of lgamma."),
    _unary("log_factorial", "log(x!).", constantly(POSITIVE), template="torch.lgamma({0} + 1.0)",
           scalar="math.lgamma({0} + 1.0)"),
    FunctionRow(
        "lbeta", ("a", "b"), "elementwise",
        "torch.lgamma({0}) + torch.lgamma({1}) - torch.lgamma({0} + {1})",
        "Logarithm of the beta function.",
    ),
    FunctionRow("atan2", ("y", "x"), "elementwise", "torch.atan2({0}, {1})",
                "Angle of the point (x, y), in radians."),
    FunctionRow("logaddexp", ("x", "y"), "elementwise", "torch.logaddexp({0}, {1})",
                "log(exp(x) + exp(y)), without overflow."),
    FunctionRow("minimum", ("x", "y"), "elementwise", "torch.minimum({0}, {1})",
                "The smaller of two values, entry by entry.", "min({0}, {1})", "same", at_most),
    FunctionRow("maximum", ("x", "y"), "elementwise", "torch.maximum({0}, {1})",
                "The larger of two values, entry by entry.", "max({0}, {1})", "same", at_least),
    FunctionRow(
        "clip", ("x", "lower", "upper"), "elementwise", "torch.clip({0}, {1}, {2})",
        "x, held between two bounds.", None, "same",
        lambda s: Support(lower=s[1].lower, upper=s[2].upper),
    ),
)  # fmt: skip

_REDUCTIONS = (
    FunctionRow("sum", ("x",), "reduce", "{0}.sum({axes})", "Sum.", None, "same", summed),
    FunctionRow("mean", ("x",), "reduce", "{0}.mean({axes})", "Arithmetic mean.", None, "real",
                same),
    FunctionRow("sd", ("x",), "reduce", "{0}.std({axes})",
                "Sample standard deviation (divisor n − 1).", None, "real", constantly(POSITIVE)),
    FunctionRow("variance", ("x",), "reduce", "{0}.var({axes})",
                "Sample variance (divisor n − 1).", None, "real", constantly(POSITIVE)),
    FunctionRow("min", ("x",), "reduce", "{0}.amin({axes})", "Least entry.", None, "same", same),
    FunctionRow("max", ("x",), "reduce", "{0}.amax({axes})", "Greatest entry.", None, "same",
                same),
    FunctionRow("prod", ("x",), "reduce", "{0}.prod({axes})", "Product.", None, "same",
                lambda s: POSITIVE if (s[0].lower or -1.0) >= 0 else REAL),
    FunctionRow("median", ("x",), "reduce", "{0}.quantile(0.5, {axes})", "Median.", None, "real",
                same),
    FunctionRow("logsumexp", ("x",), "reduce", "{0}.logsumexp({axes})",
                "log(sum(exp(x))), without overflow."),
    FunctionRow("any", ("x",), "reduce", "{0}.any({axes})", "Whether any entry holds.", None,
                "bool", constantly(UNIT)),
    FunctionRow("all", ("x",), "reduce", "{0}.all({axes})", "Whether every entry holds.", None,
                "bool", constantly(UNIT)),
)  # fmt: skip

_ALONG = (
    FunctionRow("softmax", ("x",), "along", "torch.softmax({0}, -1)",
                "Probabilities proportional to exp(x), along the last dim.", None, "real",
                constantly(Support(kind="simplex"))),
    FunctionRow("log_softmax", ("x",), "along", "torch.log_softmax({0}, -1)",
                "log(softmax(x)), without overflow.", None, "real",
                constantly(Support(upper=0.0))),
    FunctionRow("cumsum", ("x",), "along", "{0}.cumsum(-1)", "Running sum along the last dim.",
                None, "same", summed),
    FunctionRow("cumprod", ("x",), "along", "{0}.cumprod(-1)",
                "Running product along the last dim.", None, "same"),
    FunctionRow("sort", ("x",), "along", "{0}.sort(-1).values",
                "Entries in increasing order along the last dim.", None, "same", same),
    FunctionRow("reverse", ("x",), "along", "{0}.flip(-1)",
                "Entries in the opposite order along the last dim.", None, "same", same),
    FunctionRow(
        "standardize", ("x",), "along",
        "({0} - {0}.mean(-1, keepdim=True)) / {0}.std(-1, keepdim=True)",
        "x less its mean, over its standard deviation, along the last dim.",
    ),
    FunctionRow("center", ("x",), "along", "{0} - {0}.mean(-1, keepdim=True)",
                "x less its mean, along the last dim."),
)  # fmt: skip

_LINEAR_ALGEBRA = (
    FunctionRow("dot", ("x", "y"), "dot", "({0} * {1}).sum(-1)",
                "Inner product over the last dim, which both have."),
    FunctionRow("outer", ("x", "y"), "outer", "{0} * {1}",
                "Matrix of all products of two vectors' entries.", None, "same", multiply),
    FunctionRow("transpose", ("x",), "transpose", "{0}.mT", "A matrix's rows as columns.", None,
                "same", same),
    FunctionRow("diag", ("x",), "diagonal_matrix", "torch.diag_embed({0})",
                "Square matrix with the vector x on its diagonal."),
    FunctionRow("diagonal", ("x",), "diagonal", "{0}.diagonal(dim1=-2, dim2=-1)",
                "The diagonal of a square matrix.", None, "same"),
    FunctionRow("inverse", ("x",), "square", "torch.linalg.inv({0})", "Inverse of a matrix."),
    FunctionRow("cholesky", ("x",), "square", "torch.linalg.cholesky({0})",
                "Lower Cholesky factor of a positive definite matrix.", None, "real",
                constantly(Support(kind="lower_cholesky"))),
    FunctionRow("matrix_exp", ("x",), "square", "torch.linalg.matrix_exp({0})",
                "Matrix exponential."),
    FunctionRow("logdet", ("x",), "square_scalar", "torch.logdet({0})",
                "Logarithm of a matrix's determinant."),
    FunctionRow("trace", ("x",), "square_scalar", "{0}.diagonal(dim1=-2, dim2=-1).sum(-1)",
                "Sum of a matrix's diagonal."),
    FunctionRow("solve", ("a", "b"), "solve", "torch.linalg.solve({0}, {1})",
                "The x with a @ x = b."),
    FunctionRow("solve_lower", ("l", "b"), "solve",
                "torch.linalg.solve_triangular({0}, {1}, upper=False)",
                "The x with l @ x = b, for a lower triangular l."),
    FunctionRow("add_diagonal", ("x", "d"), "add_diagonal",
                "{0} + torch.diag_embed({1})",
                "The matrix x with d (a number or a vector) added on its diagonal."),
    FunctionRow(
        "squared_exponential", ("x", "scale", "length"), "kernel",
        "{1} ** 2 * torch.exp(-0.5 * (({0}.unsqueeze(-1) - {0}.unsqueeze(-2)) / {2}) ** 2)",
        "Covariance of a Gaussian process between all pairs of the vector x's entries.",
    ),
    FunctionRow(
        "exponential_kernel", ("x", "scale", "length"), "kernel",
        "{1} ** 2 * torch.exp(-({0}.unsqueeze(-1) - {0}.unsqueeze(-2)).abs() / {2})",
        "Exponential (Ornstein–Uhlenbeck) covariance between all pairs of x's entries.",
    ),
)  # fmt: skip

_CONSTRUCTORS = (
    FunctionRow("fill", ("value", "*dims"), "filled", "torch.full({shape}, {0})",
                "An array over the dims, each entry the value.", None, "same", same),
    FunctionRow("zeros", ("*dims",), "filled", "torch.zeros({shape})", "An array of zeros.", None,
                "real", constantly(Support(lower=0.0, upper=0.0))),
    FunctionRow("ones", ("*dims",), "filled", "torch.ones({shape})", "An array of ones.", None,
                "real", constantly(Support(lower=1.0, upper=1.0))),
    FunctionRow("identity", ("dim",), "identity", "torch.eye({shape})",
                "The identity matrix over a dim.", None, "real",
                constantly(Support(kind="positive_definite"))),
    FunctionRow("count", ("dim",), "size", "{0}", "The size of a dim; the same as its bare name.",
                "{0}", "int", same),
    FunctionRow("quantile", ("x", "q"), "quantile", "torch.quantile({0}, {1}, dim=-1)",
                "Quantiles of the vector x at q, a number or a list.", None, "real", same),
    FunctionRow("columns", ("*x",), "columns", "torch.stack([{items}], -1)",
                "The arguments side by side as the columns of a matrix.", None, "real", hull),
    FunctionRow("concat", ("*x",), "concatenate", "torch.cat([{items}], -1)",
                "Vectors end to end.", None, "real", hull),
)  # fmt: skip

FUNCTION_GROUPS: dict[str, tuple[FunctionRow, ...]] = {
    "Entry by entry": _ELEMENTWISE,
    "Reductions": _REDUCTIONS,
    "Along the last dim": _ALONG,
    "Linear algebra and Gaussian processes": _LINEAR_ALGEBRA,
    "Making arrays": _CONSTRUCTORS,
}
"""The functions as the reference groups them."""

FUNCTIONS: dict[str, FunctionRow] = {
    row.name: row for group in FUNCTION_GROUPS.values() for row in group
}
"""All functions that an author can call, by name."""
