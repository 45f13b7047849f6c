"""The table of elementwise operations: for each ATen operation, its C++ expression.

This is the one place to add an elementwise operation. ``{0}``, ``{1}``, … stand for the operands,
in the order of the operation's tensor and number arguments; the functions named ``m_*`` are in
``prelude.h``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

from autoguide_core.engine.native.errors import NativeUnavailable


@dataclass(frozen=True)
class Elementwise:
    """An elementwise operation.

    Attributes:
        expression: The C++ expression.
        compares: Whether operands are promoted among themselves and the result is a truth value.
        condition: Whether the first operand is a truth value, not promoted with the others.
    """

    expression: str
    compares: bool = False
    condition: bool = False

    @property
    def arity(self) -> int:
        """The number of operands."""
        return 1 + max(int(digit) for digit in re.findall(r"{(\d)}", self.expression))


def _unary(*names: str) -> dict[str, Elementwise]:
    return {name: Elementwise(f"m_{name}({{0}})") for name in names}


def _comparison(name: str, sign: str) -> dict[str, Elementwise]:
    row = Elementwise(f"({{0}} {sign} {{1}})", compares=True)
    return {f"{name}.Tensor": row, f"{name}.Scalar": row}


ELEMENTWISE: dict[str, Elementwise] = {
    "add.Tensor": Elementwise("({0} + {1})"),
    "add.Scalar": Elementwise("({0} + {1})"),
    "sub.Tensor": Elementwise("({0} - {1})"),
    "sub.Scalar": Elementwise("({0} - {1})"),
    "rsub.Tensor": Elementwise("({1} - {0})"),
    "rsub.Scalar": Elementwise("({1} - {0})"),
    "mul.Tensor": Elementwise("({0} * {1})"),
    "mul.Scalar": Elementwise("({0} * {1})"),
    "div.Tensor": Elementwise("({0} / {1})"),
    "div.Scalar": Elementwise("({0} / {1})"),
    "pow.Tensor_Tensor": Elementwise("m_pow({0}, {1})"),
    "pow.Tensor_Scalar": Elementwise("m_pow({0}, {1})"),
    "pow.Scalar": Elementwise("m_pow({0}, {1})"),
    "atan2": Elementwise("m_atan2({0}, {1})"),
    "fmod.Tensor": Elementwise("m_fmod({0}, {1}, f.problem)"),
    "fmod.Scalar": Elementwise("m_fmod({0}, {1}, f.problem)"),
    "remainder.Tensor": Elementwise("m_remainder({0}, {1}, f.problem)"),
    "remainder.Scalar": Elementwise("m_remainder({0}, {1}, f.problem)"),
    "maximum": Elementwise("m_maximum({0}, {1})"),
    "minimum": Elementwise("m_minimum({0}, {1})"),
    "clamp_min": Elementwise("m_maximum({0}, {1})"),
    "clamp_min.Tensor": Elementwise("m_maximum({0}, {1})"),
    "clamp_max": Elementwise("m_minimum({0}, {1})"),
    "clamp_max.Tensor": Elementwise("m_minimum({0}, {1})"),
    "clamp": Elementwise("m_minimum(m_maximum({0}, {1}), {2})"),  # a bound may be missing
    "clamp.Tensor": Elementwise("m_minimum(m_maximum({0}, {1}), {2})"),
    "where.self": Elementwise("({0} ? {1} : {2})", condition=True),
    "neg": Elementwise("(-{0})"),
    "sgn": Elementwise("m_sign({0})"),
    "relu": Elementwise("({0} < 0 ? 0 : {0})"),
    "bitwise_not": Elementwise("m_not({0})"),
    "_to_copy": Elementwise("{0}"),
    "reciprocal": Elementwise("(1 / {0})"),
    "square": Elementwise("m_square({0})"),
    "logical_not": Elementwise("(!{0})", compares=True),
    "logical_and": Elementwise("(({0} != 0) && ({1} != 0))", compares=True),
    "logical_or": Elementwise("(({0} != 0) || ({1} != 0))", compares=True),
    "logical_xor": Elementwise("(({0} != 0) != ({1} != 0))", compares=True),
    "bitwise_and.Tensor": Elementwise("({0} & {1})"),
    "bitwise_or.Tensor": Elementwise("({0} | {1})"),
    "bitwise_xor.Tensor": Elementwise("({0} ^ {1})"),
    "isnan": Elementwise("m_isnan({0})", compares=True),
    "isinf": Elementwise("m_isinf({0})", compares=True),
    **_comparison("eq", "=="),
    **_comparison("ne", "!="),
    **_comparison("lt", "<"),
    **_comparison("le", "<="),
    **_comparison("gt", ">"),
    **_comparison("ge", ">="),
    **_unary("abs", "sign", "sqrt", "rsqrt", "exp", "exp2", "expm1"),
    **_unary("log", "log1p", "log2", "log10", "sigmoid", "erf", "erfc", "lgamma", "digamma"),
    **_unary("sin", "cos", "tan", "asin", "acos", "atan"),
    **_unary("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    **_unary("floor", "ceil", "trunc", "round"),
}
"""By the operation's name, with its overload unless that is the default one."""

REDUCTIONS: dict[str, str] = {
    "sum": "+",
    "sum.dim_IntList": "+",
    "mean": "mean",
    "mean.dim": "mean",
    "amax": "max",
    "amin": "min",
    "max": "max",
    "min": "min",
    "prod": "*",
    "prod.dim_int": "*",
    "any": "||",
    "any.dim": "||",
    "any.dims": "||",
    "all": "&&",
    "all.dim": "&&",
    "all.dims": "&&",
}
"""Reductions over some or all dimensions, by name, with their sign."""

C_TYPES: dict[torch.dtype, str] = {
    torch.float32: "float",
    torch.float64: "double",
    torch.int64: "int64_t",
    torch.int32: "int32_t",
    torch.uint8: "uint8_t",
    torch.bool: "bool",
}
"""The types of values in registers."""

MEMORY_TYPES: dict[torch.dtype, str] = {**C_TYPES, torch.bool: "uint8_t"}
"""The types of elements in memory: the compiler does not vectorise loads of ``bool``."""


def check_type(dtype: torch.dtype) -> None:
    """Raise NativeUnavailable if the generated code has no numbers of a type."""
    if dtype not in C_TYPES:
        raise NativeUnavailable(f"the generated code has no numbers of type {dtype}")


def operation_name(target: object) -> str:
    """The name of an ATen overload as the tables spell it: ``exp``, ``add.Tensor``."""
    namespace, _, name = str(target).partition(".")
    if namespace != "aten":
        return str(target)
    return name.removesuffix(".default")


def overload(name: str) -> Any:
    """The ATen overload of a name: the inverse of :func:`operation_name`."""
    packet, _, rest = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), rest or "default")
