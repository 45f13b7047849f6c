"""Shape rules: the axes of a result from the axes of its arguments; a function a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from compiler.ir.types import Axis
from compiler.tables.function_row import ShapeRule

Axes = tuple[Axis, ...]


class ShapeProblem(Exception):  # noqa: N818 - becomes a diagnostic, never reaches a user as it is
    """Arguments whose axes do not go together; `message` and `remedy` are for the author."""

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


def shown(axes: Sequence[Axis]) -> str:
    """Return axes as the author writes them: `[obs, 3]`, or `no dims`."""
    return f"[{', '.join(map(str, axes))}]" if axes else "no dims"


@dataclass(frozen=True)
class Sizes:
    """What is known of the sizes of dims before there is data."""

    literal: Mapping[str, int]

    def unify(self, a: Axis, b: Axis) -> Axis | None:
        """Return the axis that both can be, the named one if there is one; None if they differ.

        A named dim whose size comes from the data goes with any number: it is checked later.
        """
        if a == b:
            return a
        if isinstance(a, str) and isinstance(b, str):
            return None
        name, number = (a, b) if isinstance(a, str) else (b, a)
        if not isinstance(name, str):
            return None
        return name if self.literal.get(name, number) == number else None

    def unify_all(self, a: Axes, b: Axes) -> Axes | None:
        """Unify axis by axis; None if the numbers of axes differ or a pair does."""
        if len(a) != len(b):
            return None
        pairs = [self.unify(x, y) for x, y in zip(a, b, strict=True)]
        return None if None in pairs else tuple(axis for axis in pairs if axis is not None)

    def align(self, operand: Axes, result: Axes) -> tuple[int, ...] | None:
        """Return the position in `result` of each axis of `operand`, in order.

        Names decide, the first fitting position wins: a vector goes with the rows of a square
        matrix. An axis goes with one that may turn out to be of another size only where it goes
        with no other. None where `operand` is no subsequence of `result`.
        """
        certain = self._positions(operand, result, self._alike)
        if certain is not None:
            return certain
        return self._positions(operand, result, lambda a, b: self.unify(a, b) is not None)

    def _alike(self, a: Axis, b: Axis) -> bool:
        """Tell whether two axes are certain to have one size."""
        return a == b or (
            self.unify(a, b) is not None
            and all(axis in self.literal for axis in (a, b) if isinstance(axis, str))
        )

    @staticmethod
    def _positions(
        operand: Axes, result: Axes, goes: Callable[[Axis, Axis], bool]
    ) -> tuple[int, ...] | None:
        positions: list[int] = []
        start = 0
        for axis in operand:
            for position in range(start, len(result)):
                if goes(axis, result[position]):
                    positions.append(position)
                    start = position + 1
                    break
            else:
                return None
        return tuple(positions)

    def join(self, a: Axes, b: Axes) -> Axes:
        """Return the axes of an entry-by-entry operation; ShapeProblem where they do not go."""
        same = self.unify_all(a, b)
        if same is not None:
            return same
        longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
        if self.align(shorter, longer) is not None:
            return longer
        raise ShapeProblem(
            f"dims {shown(a)} and {shown(b)} do not go together",
            "dims are matched by name; `outer(x, y)` makes a matrix of two vectors, and an index "
            "such as `x[g]` takes values from one dim to another",
        )


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


def _kernel(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    x, *others = axes
    if len(x) != 1 or any(others):
        raise ShapeProblem(
            "it takes a vector of places, then single numbers",
            "write it outside the plate of the places",
        )
    return (*x, *x)


def _add_diagonal(axes: Sequence[Axes], sizes: Sizes) -> Axes:
    matrix = _square(axes[:1], sizes)
    if axes[1] and sizes.unify_all(axes[1], matrix[-1:]) is None:
        raise ShapeProblem(
            f"the diagonal of {shown(matrix)} cannot take {shown(axes[1])}",
            "add a number or a vector over the same dim",
        )
    return matrix


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
    "kernel": _kernel,
    "add_diagonal": _add_diagonal,
    "quantile": _quantile,
    "columns": _columns,
    "concatenate": _concatenate,
}
"""The rules that look at axes alone; reductions and constructors also look at their options."""
