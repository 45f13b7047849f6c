"""Recognises products of vectors, entry by entry, whose sum was meant."""

from __future__ import annotations

from compiler.ir import Apply, Expression, Reference
from compiler.ir.axes import shown
from compiler.ir.queries import subexpressions
from compiler.ir.types import Axis


def dot_remedy(argument: Expression, wanted: tuple[Axis, ...]) -> str | None:
    """Return the remedy where an argument has a dim too many that comes of a product; or None.

    Args:
        argument: The argument of a distribution.
        wanted: The dims of one draw.
    """
    for product in subexpressions(argument):
        if not (isinstance(product, Apply) and product.function == "*"):
            continue
        *rest, last = product.type.event or (None,)
        shared = all(factor.type.event[-1:] == (last,) for factor in product.arguments)
        if last is not None and shared and last not in wanted and set(rest) <= set(wanted):
            names = [f.name if isinstance(f, Reference) else "…" for f in product.arguments]
            dot = f"dot({', '.join(names)})"
            return f"`*` goes entry by entry; `{dot}` sums over {shown((last,))}, too"
    return None
