"""Shape rules: the axes of a result from the axes of its arguments; a function a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compiler.ir.axes import Axes, ShapeProblem, Sizes, shown
from compiler.tables.function_row import ShapeRule


def _elementwise(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    result: Axes = ()
    for operand in axes:
        result = sizes.join(result, operand)
    return result


def _along(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    if not axes[0]:
        raise ShapeProblem("it needs a vector, but there is a single number here", _PLATE_HINT)
    return axes[0]


def _dot(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    x, y = axes
    if not x or not y or sizes.unify(x[-1], y[-1]) is None:
        raise ShapeProblem(
            f"the last dims of {shown(x)} and {shown(y)} differ",
            "`dot(x, y)` multiplies and sums over the last dim, which both must have",
        )
    return sizes.join(x[:-1], y[:-1])


def _matmul(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    x, y = axes
    if not x or not y:
        raise ShapeProblem(
            "`@` needs vectors or matrices on both sides", "use `*` for a single number"
        )
    inner = y[0] if len(y) == 1 else y[-2]
    if sizes.unify(x[-1], inner) is None:
        raise ShapeProblem(
            f"`@` sums over `{x[-1]}` on the left but `{inner}` on the right "
            f"({shown(x)} @ {shown(y)})",
            "the last dim of the left side and the first of the right side must be the same; "
            "`transpose(x)` swaps a matrix's dims",
        )
    if len(x) > 2 or len(y) > 2:
        raise ShapeProblem(
            f"`@` takes vectors and matrices, not {shown(max(axes, key=len))}",
            "use `dot`, or `sum` of a product",
        )
    return (*x[:-1], *y[1:])


def _outer(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    x, y = axes
    if len(x) != 1 or len(y) != 1:
        raise ShapeProblem("it takes two vectors", "index or sum the others first")
    return (*x, *y)


def _transpose(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    _matrix(axes[0])
    return (*axes[0][:-2], axes[0][-1], axes[0][-2])


def _diagonal_matrix(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    if len(axes[0]) != 1:
        raise ShapeProblem(f"it takes a vector, not {shown(axes[0])}", _PLATE_HINT)
    return (*axes[0], axes[0][-1])


def _diagonal(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    return _square(axes, sizes)[:-1]


def _square(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    x = axes[0]
    _matrix(x)
    if sizes.unify(x[-1], x[-2]) is None:
        raise ShapeProblem(f"it takes a square matrix, not {shown(x)}", "check the dims")
    return x


def _square_scalar(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    return _square(axes, sizes)[:-2]


def _solve(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    _square(axes[:1], sizes)
    _matmul(axes, sizes)
    return axes[1]


def _covariance(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    x, *numbers = axes
    other = numbers.pop(0) if numbers[0] else x
    if len(x) not in (1, 2):
        raise ShapeProblem(
            f"it takes a vector of inputs, or a matrix [inputs, features], not {shown(x)}",
            "write it outside the plate of the inputs",
        )
    features = x[1:]
    if len(other) != len(x) or sizes.unify_all(features, other[1:]) is None:
        raise ShapeProblem(
            f"the inputs {shown(x)} and {shown(other)} differ in their features",
            "both sets of inputs need the same features",
        )
    for place, number in enumerate(numbers):
        per_feature = place == 1 and features and sizes.unify_all(features, number) is not None
        if number and not per_feature:
            raise ShapeProblem(
                f"there is {shown(number)} where it takes a single number",
                "a length may have one entry for each feature; the others are single numbers",
            )
    return (x[0], other[0])


def _add_diagonal(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    matrix = _square(axes[:1], sizes)
    if axes[1] and sizes.unify_all(axes[1], matrix[-1:]) is None:
        raise ShapeProblem(
            f"the diagonal of {shown(matrix)} cannot take {shown(axes[1])}",
            "add a number or a vector over the same dim",
        )
    return matrix


def _interpolate(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    at, places, values = axes
    if len(places) != 1 or sizes.unify_all(places, values) is None:
        raise ShapeProblem(
            f"its table has places {shown(places)} and values {shown(values)}",
            "give two vectors over the same dim",
        )
    return at


def _quantile(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    x, q = axes
    if len(x) != 1 or len(q) > 1:
        raise ShapeProblem("it takes a vector and one or several places in 0 .. 1", _PLATE_HINT)
    return q


def _columns(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    return (*_elementwise(axes, sizes), len(axes))


def _concatenate(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    if any(len(x) != 1 for x in axes):
        raise ShapeProblem("it takes vectors", "write a single number x as `[x]`")
    lengths = [sizes.literal.get(x[0]) if isinstance(x[0], str) else x[0] for x in axes]
    if None in lengths:
        return ("+".join(str(x[0]) for x in axes),)
    return (sum(length for length in lengths if length is not None),)


def _matrix(axes: Axes) -> None:
    if len(axes) < 2:
        raise ShapeProblem(f"it takes a matrix, not {shown(axes)}", "check the dims")


_PLATE_HINT = (
    "inside a plate a value is the one entry of that plate's dim; compute over the whole dim "
    "outside the plate, or in the derive block"
)

RULES: dict[ShapeRule, Callable[[Sequence[Axes], Sizes], Axes]] = {
    "elementwise": _elementwise,
    "along": _along,
    "dot": _dot,
    "matmul": _matmul,
    "outer": _outer,
    "transpose": _transpose,
    "diagonal_matrix": _diagonal_matrix,
    "diagonal": _diagonal,
    "square": _square,
    "square_scalar": _square_scalar,
    "solve": _solve,
    "covariance": _covariance,
    "add_diagonal": _add_diagonal,
    "interpolate": _interpolate,
    "quantile": _quantile,
    "columns": _columns,
    "concatenate": _concatenate,
}
"""The rules that look at axes alone; reductions and constructors also look at their options."""
