"""What makes arrays."""

from __future__ import annotations

from compiler.ir.types import Support
from compiler.tables.function_row import FunctionRow, constantly, hull, same

ROWS = (
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
    FunctionRow("place", ("dim",), "place", "torch.arange(float({0}))",
                "Which entry of the dim an entry is: 0, 1, 2, … over the dim.", None, "int", same),
    FunctionRow("quantile", ("x", "q"), "quantile", "torch.quantile({0}, {1}, dim=-1)",
                "Quantiles of the vector x at q, a number or a list.", None, "real", same),
    FunctionRow("columns", ("*x",), "columns", "torch.stack([{items}], -1)",
                "The arguments side by side as the columns of a matrix.", None, "real", hull),
    FunctionRow("concat", ("*x",), "concatenate", "torch.cat([{items}], -1)",
                "Vectors end to end.", None, "real", hull),
)  # fmt: skip
