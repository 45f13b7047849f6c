"""Functions that make one number of many."""

from __future__ import annotations

from compiler.tables.function_row import (
    POSITIVE,
    REAL,
    UNIT,
    FunctionRow,
    constantly,
    same,
    summed,
)

ROWS = (
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
    FunctionRow("norm", ("x",), "reduce", "torch.linalg.vector_norm({0}, dim={axes})",
                "Euclidean length, the root of the sum of squares.", None, "real",
                constantly(POSITIVE)),
    FunctionRow("logsumexp", ("x",), "reduce", "{0}.logsumexp({axes})",
                "log(sum(exp(x))), without overflow."),
    FunctionRow("any", ("x",), "reduce", "{0}.any({axes})", "Whether any entry holds.", None,
                "bool", constantly(UNIT)),
    FunctionRow("all", ("x",), "reduce", "{0}.all({axes})", "Whether every entry holds.", None,
                "bool", constantly(UNIT)),
)  # fmt: skip
