"""Resolves `x[i, j]`: which axis each index goes into, and whether it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiler.ir import Constant, Expression, IndexAt, Range, Reference, ValueType
from compiler.ir.axes import ShapeProblem, shown
from compiler.ir.types import Axis
from compiler.resolve.by_hand import tell_index_by_hand
from compiler.resolve.constants import whole_number
from compiler.resolve.scope import Scope
from grammar import nodes

if TYPE_CHECKING:
    from compiler.resolve.expressions import Expressions


def resolve_index(expressions: Expressions, expr: nodes.Index, scope: Scope) -> Expression | None:
    """Return the typed expression of an index; None where something is wrong, once told."""
    if tell_index_by_hand(expr, scope):
        return None
    base = expressions.resolve(expr.base, scope)
    resolved = [_resolve_place(expressions, place, scope) for place in expr.indices]
    places = [place for place in resolved if place is not None]
    if base is None or len(places) < len(resolved):
        return None
    axes = base.type.event
    if len(places) > len(axes):
        _too_many(expr, base, scope)
        return None
    # A vector of indices puts its own dims where the first such index stands.
    gathered: tuple[Axis, ...] = ()
    position: int | None = None
    event: list[Axis] = []
    for place, axis, node in zip(places, axes, expr.indices, strict=False):
        if isinstance(place, Range):
            event.append(_range_axis(axis, place, expressions))
            continue
        if not _fits(expressions, place, axis, node, scope):
            return None
        if isinstance(place, Constant):
            continue
        try:
            gathered = expressions.sizes.join(gathered, place.type.event)
        except ShapeProblem as problem:
            scope.diagnostics.report("PPL020", node.span, problem.message, problem.remedy)
            return None
        position = len(event) if position is None else position
    if position is not None:
        if any(isinstance(place, Range) for place in places):
            scope.diagnostics.report(
                "PPL023",
                expr.span,
                "a range and an index variable in one pair of brackets",
                "take them one after the other, such as `x[g][1:3]`",
            )
            return None
        event[position:position] = gathered
    event.extend(axes[len(places) :])
    types = [base.type, *(place.type for place in places if not isinstance(place, Range))]
    return IndexAt(
        base=base,
        indices=tuple(places),
        type=ValueType(
            element=base.type.element,
            batch=tuple(p for p in scope.plates if any(p in t.batch for t in types)),
            event=tuple(event),
            random=any(t.random for t in types),
            index_of=base.type.index_of,
            support=base.type.support.model_copy(update={"kind": _entry_kind(base, axes, event)}),
        ),
    )


def _entry_kind(base: Expression, axes: tuple[Axis, ...], event: list[Axis]) -> str:
    """Return the kind of support of what is left: an entry of a simplex is no simplex."""
    kind = base.type.support.kind
    if kind in ("real", "integer", "boolean") or (axes and event and axes[-1] == event[-1]):
        return kind
    return "real"


def _resolve_place(
    expressions: Expressions, place: nodes.Expr | nodes.Slice, scope: Scope
) -> Expression | Range | None:
    if not isinstance(place, nodes.Slice):
        return expressions.resolve(place, scope)
    ends: list[int | None] = []
    for end in (place.lower, place.upper):
        value = None if end is None else whole_number(end)
        if end is not None and value is None:
            scope.diagnostics.report(
                "PPL023", end.span, "the ends of a range must be whole numbers", "write `x[1:3]`"
            )
            return None
        ends.append(value)
    return Range(lower=ends[0], upper=ends[1])


def _range_axis(axis: Axis, place: Range, expressions: Expressions) -> Axis:
    size = expressions.sizes.literal.get(axis) if isinstance(axis, str) else axis
    if size is not None:
        return len(range(*slice(place.lower, place.upper).indices(size)))
    lower, upper = place.lower or 0, place.upper
    if upper is not None and (lower < 0) == (upper < 0):
        return max(0, upper - lower)
    if lower < 0:
        return -lower
    # What is taken off at either end decides the length: `y[1:]` goes with `y[:-1]`.
    dropped = lower - (upper or 0)
    return f"{axis}[{dropped}:]" if dropped else axis


def _fits(
    expressions: Expressions,
    place: Expression,
    axis: Axis,
    node: nodes.Expr | nodes.Slice,
    scope: Scope,
) -> bool:
    size = expressions.sizes.literal.get(axis) if isinstance(axis, str) else axis
    if isinstance(place, Constant):
        value = place.value
        if not isinstance(value, int) or isinstance(value, bool):
            scope.diagnostics.report(
                "PPL024", node.span, "an index must be a whole number", "indices count from 0"
            )
            return False
        if size is not None and not -size <= value < size:
            scope.diagnostics.report(
                "PPL023",
                node.span,
                f"index {value} is out of range: "
                + (f"`{axis}` has" if isinstance(axis, str) else "there are")
                + f" {size} entries",
                f"indices run from 0 to {size - 1}",
            )
            return False
        return True
    if isinstance(place, Reference) and place.kind == "size":
        known = [s.name for s in scope.symbols.values() if s.type.index_of == place.name]
        scope.diagnostics.report(
            "PPL024",
            node.span,
            f"`{place.name}` is how many entries the dim has, which is no index into it",
            f"index by data: `x[{known[0]}]`"
            if known
            else f"declare data that point into it, `g[obs] : index({place.name})`, and index by "
            "them: `x[g]`",
        )
        return False
    if place.type.element != "int":
        scope.diagnostics.report(
            "PPL024",
            node.span,
            "an index must be a whole number, but this is "
            + ("a condition" if place.type.element == "bool" else "a real number"),
            f"declare it in the data block as `index({axis})`",
        )
        return False
    target = place.type.index_of
    if target is None and isinstance(place, Reference) and place.kind == "data":
        scope.diagnostics.report(
            "PPL024",
            node.span,
            f"`{place.name}` is declared as `int`, which does not tell what it indexes",
            f"declare it as `index({axis})`, or `index({axis}, base = 1)` if it counts from 1",
        )
        return False
    if target is not None and expressions.sizes.unify(target, axis) is None:
        scope.diagnostics.report(
            "PPL023",
            node.span,
            f"an index into `{target}` is used on the dim `{axis}`",
            f"use an `index({axis})` here, or index a value that has the dim `{target}`",
        )
        return False
    return True


def _too_many(expr: nodes.Index, base: Expression, scope: Scope) -> None:
    plates = base.type.batch
    if not base.type.event and plates:
        message = f"there is nothing to index: inside plate `{plates[-1]}` this is a single number"
        remedy = "write it without the index; a plate picks its own entry of each value"
    elif not base.type.event:
        message = "there is nothing to index: this is a single number"
        remedy = "write it without the index"
    else:
        count = len(base.type.event)
        message = f"{len(expr.indices)} indices into the dims {shown(base.type.event)}"
        remedy = f"leave away all but {count}"
    scope.diagnostics.report("PPL023", expr.span, message, remedy)
