"""Emits `x[i, j]`: plain indexing where it means the same, Pyro's Vindex where dims broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compiler.emit.imports import Import
from compiler.emit.place import Place
from compiler.emit.python import atom, method
from compiler.ir import Constant, Expression, IndexAt, Items, Range, Reference
from compiler.ir.queries import references
from compiler.tables.reserved import python_name

Emit = Callable[[Expression, Place], str]


def emit_index(expr: IndexAt, place: Place, emit: Emit) -> str:
    """Return the code of an index expression."""
    places = [_text(index, place, emit) for index in expr.indices]
    gathers = [index for index in expr.indices if not isinstance(index, Constant | Range)]
    rest = len(expr.base.type.event) - len(places)
    if len(expr.indices) == 1 and _is_states(expr.indices[0]):
        return emit(expr.base, place)  # all states side by side are what is indexed
    if not gathers:
        return f"{atom(emit(expr.base, place))}[{', '.join(['...', *places, *[':'] * rest])}]"
    if _same_slot(expr, gathers, place):
        assert isinstance(expr.base, Reference)
        place.needs.names.add(expr.base.name)
        return f"{python_name(expr.base.name)}[{', '.join(['...', *places, *[':'] * rest])}]"
    base = atom(emit(expr.base, place))
    loose = not expr.base.type.batch and not expr.base.type.random
    if loose:
        return f"{base}[{', '.join(places)}]"
    plain = all(not g.type.batch and not g.type.random for g in gathers)
    if plain and len(gathers) == 1:
        return f"{base}[{', '.join(['...', *places, *[':'] * rest])}]"
    place.needs.imports.add(Import("pyro.ops.indexing", "Vindex"))
    rank = max(len(g.type.event) for g in gathers)
    for _ in range(rank):
        base = method(base, f"unsqueeze({-1 - len(expr.base.type.event)})")
    return f"Vindex({base})[{', '.join(['...', *places, *[':'] * rest])}]"


def _is_states(index: Expression | Range) -> bool:
    return isinstance(index, Reference) and index.kind == "states"


def _text(index: Expression | Range, place: Place, emit: Emit) -> str:
    if isinstance(index, Range):
        ends = ["" if end is None else str(end) for end in (index.lower, index.upper)]
        return ":".join(ends)
    if isinstance(index, Items):
        from compiler.emit.expressions import literal

        text = literal(index, whole=True)
        if text is not None:
            return text
    code = emit(index, place)
    # Draws of Bernoulli and its like are floats, which torch does not take as an index; what is
    # made of sizes alone is a number of Python.
    whole = index.type.index_of is not None or all(r.kind == "size" for r in references(index))
    return code if whole else method(code, "long()")


def _same_slot(expr: IndexAt, gathers: Sequence[Expression], place: Place) -> bool:
    """Tell whether `x[..., g]` puts the plate of `g` exactly where the plate of `x` was.

    So it is for a value of one plate at the innermost number, indexed by data of another plate at
    that number: the commonest case, `theta[county]`.
    """
    base = expr.base
    return (
        isinstance(base, Reference)
        and base.kind in ("site", "local")
        and len(base.plates) == 1
        and base.plates[0] not in place.plates
        and not any(axis in place.plates for axis in base.event)
        and place.numbers[base.plates[0]] == -1
        and len(gathers) == 1
        and expr.indices[0] is gathers[0]
        and not gathers[0].type.random
        and not gathers[0].type.event
        and [place.numbers[plate] for plate in gathers[0].type.batch] == [-1]
    )
