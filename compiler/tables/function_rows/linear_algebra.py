"""Vectors and matrices."""

from __future__ import annotations

from compiler.ir.types import Support
from compiler.tables.function_row import FunctionRow, constantly, multiply, same

ROWS = (
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
    FunctionRow("eigenvalues", ("x",), "diagonal", "torch.linalg.eigvalsh({0})",
                "Eigenvalues of a symmetric matrix, in increasing order."),
    FunctionRow("jitter", ("x",), "square", "covariances.jitter({0})",
                "A covariance with 1.5e-8 of its mean variance added on the diagonal, so that it "
                "has a Cholesky factor.", None, "real",
                constantly(Support(kind="positive_definite"))),
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
)  # fmt: skip
