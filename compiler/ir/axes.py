"""How axes go together: by name, with what is known of dims' sizes before there is data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from compiler.ir.types import Axis

Axes = tuple[Axis, ...]


class ShapeProblem(Exception):  # noqa: N818 - becomes a diagnostic, never reaches a user as it is
    """Arguments whose axes do not go together; `message` and `remedy` are for the author."""

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


def is_computed(axis: Axis) -> bool:
    """Tell whether an axis is that of a range, `item[1:]`, or of vectors joined, `1+item`."""
    return isinstance(axis, str) and not axis.isidentifier()


BY_NAME = "dims are matched by name; an index such as `x[g]` takes values from one dim to another"
"""The remedy where a value has another dim than that which it is for."""


def parts_of(axis: Axis | None) -> Iterator[tuple[str, str]]:
    """Yield each dim or number that an axis is joined from, and its range, `[1:]` or nothing."""
    for part in str(axis).split("+"):
        dim, cut, rest = part.partition("[")
        yield dim, cut + rest


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

    def declare(self, declared: Axes, axes: Axes) -> Axes | None:
        """Return the axes under which a value with the axes `axes` may be declared, or None.

        The axis of a range or of vectors joined has no name of its own, and takes the one that it
        is given; that the sizes agree shows once there are data.
        """
        if len(declared) != len(axes):
            return None
        named = [
            given if isinstance(given, str) and is_computed(axis) else self.unify(given, axis)
            for given, axis in zip(declared, axes, strict=True)
        ]
        return None if None in named else tuple(axis for axis in named if axis is not None)

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
