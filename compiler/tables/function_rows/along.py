"""Functions along the last dim."""

from __future__ import annotations

from compiler.ir.types import Support
from compiler.tables.function_row import FunctionRow, constantly, same, summed

ROWS = (
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
    FunctionRow("rank", ("x",), "along", "{0}.argsort(-1).argsort(-1)",
                "Place of each entry among all of them in increasing order, from 0.", None, "int"),
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
