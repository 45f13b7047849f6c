"""Resolves `recur dim { … }`: statements of one step, which may read earlier steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.diagnostics import Diagnostics
from compiler.ir import (
    Assignment,
    Expression,
    FactorTerm,
    Initially,
    Location,
    PlateBlock,
    Recorded,
    Statement,
    ValueType,
)
from compiler.ir.axes import shown
from compiler.ir.types import Axis
from compiler.resolve.beginnings import with_beginnings
from compiler.resolve.chains import foreseen_chain, is_chain, read_in
from compiler.resolve.declarations import resolve_dims
from compiler.resolve.expressions import join_batch
from compiler.resolve.scope import Scope, Symbol
from compiler.tables.distributions import DISTRIBUTIONS
from grammar import nodes

if TYPE_CHECKING:
    from compiler.resolve.model import Body


def resolve_recur(body: Body, statement: nodes.Recur, scope: Scope) -> list[Statement]:
    """Return the block of a `recur`, its statements in the order written.

    What a statement further down defines can be read at earlier steps, so that the names of the
    block, with their dims, are known before the first of its statements is resolved.
    """
    dim = statement.dim.text
    inside = _inside(statement, scope)
    if inside is None:
        _skip(statement, scope)
        return []
    foreseen = _foreseen(body, statement, inside)
    found: list[Statement] = []
    for one in statement.body:
        own = {name.text for name in _names(one)}
        # The state before is a chain's own affair.
        seen = {n: s for n, s in foreseen.items() if s.kind != "states" or n in own}
        inner = replace(inside, foreseen=seen)
        if isinstance(one, nodes.RecurAssign):
            found += _recurred(body, one, inner)
        elif isinstance(one, nodes.Plate | nodes.Recur):
            word = "plate" if isinstance(one, nodes.Plate) else "recur"
            _refuse(scope, one, f"a `{word}` inside a `recur`", f"recur {dim}")
        else:
            found += body.resolve((one,), inner)
        for name in _names(one):
            _agree(name, inner)
    _hold_states(found, inside)
    timed = with_beginnings(found, inside)
    place = Location.of(statement.dim.span)
    return [PlateBlock(dim=dim, sequential=True, body=tuple(timed), location=place)]


def _inside(statement: nodes.Recur, scope: Scope) -> Scope | None:
    """Return the scope of the block; None where its dim is wrong, once told."""
    name = statement.dim
    symbol = scope.look_up(name, ("dim",))
    if symbol is None:
        return None
    if symbol.kind != "dim":
        scope.diagnostics.report(
            "PPL018",
            name.span,
            f"`{name.text}` is not a dim",
            f"`recur` goes along a dim; declare `dim {name.text}` in the data block",
            [(f"`{name.text}` is defined here", symbol.span)],
        )
        return None
    if name.text in scope.plates:
        scope.diagnostics.report(
            "PPL022",
            name.span,
            f"`recur {name.text}` stands inside a plate over its own dim",
            "take the plate away: `recur` is one, whose entries depend on earlier ones",
        )
        return None
    return replace(scope.inside(name.text, None), recur=name.text)


def _skip(statement: nodes.Recur, scope: Scope) -> None:
    """Enter what a block defines that is not looked at, so that nothing is said of its uses."""
    for one in statement.body:
        for name in _names(one):
            known = scope.symbols.get(name.text)
            if known is None:
                known = scope.define(name, "local", ValueType(element="real", random=True))
                known.failed = True
            known.used = True


def _refuse(scope: Scope, statement: nodes.Plate | nodes.Recur, what: str, where: str) -> None:
    around = f"write the plate around it: `plate group {{ {where} {{ … }} }}`"
    remedy = f"{around}, or close the `recur` first"
    scope.diagnostics.report("PPL056", statement.span, f"{what} is not compiled", remedy)


def _names(statement: nodes.Statement | nodes.RecurAssign) -> list[nodes.Name]:
    if isinstance(statement, nodes.Plate | nodes.Recur | nodes.Factor):
        return []
    return [statement.name]


def _foreseen(body: Body, statement: nodes.Recur, scope: Scope) -> dict[str, Symbol]:
    """Return what the block defines, with the types that its heads and first values tell."""
    found: dict[str, Symbol] = {}
    for one in statement.body:
        for name in _names(one):
            if name.text in scope.symbols or isinstance(one, nodes.Plate | nodes.Recur):
                continue
            if isinstance(one, nodes.Sample) and is_chain(one, scope):
                found[name.text] = foreseen_chain(one, body.expressions, scope)
                continue
            drawn = one.distribution.function.text if isinstance(one, nodes.Sample) else None
            row = None if drawn is None else DISTRIBUTIONS.get(drawn)
            dims = () if isinstance(one, nodes.Factor) else resolve_dims(one.dims, scope)
            if isinstance(one, nodes.RecurAssign) and not dims:
                dims = _first_event(body, one, scope, found)
            kind = ValueType(
                element="real" if row is None else row.element,
                batch=tuple(scope.plates),
                event=dims,
                random=True,
            )
            found[name.text] = Symbol(name.text, "site" if drawn else "local", name.span, kind)
    return found


def _first_event(
    body: Body, statement: nodes.RecurAssign, scope: Scope, above: dict[str, Symbol]
) -> tuple[Axis, ...]:
    """Return the dims of a first value, silently: what is wrong with it is told later.

    Args:
        body: What resolves statements.
        statement: The value's definition.
        scope: That of the block.
        above: What the block is known to define so far.
    """
    silent = Diagnostics(scope.diagnostics.path, scope.diagnostics.text)
    copies = {name: replace(symbol) for name, symbol in above.items()}  # not used by this
    apart = replace(scope, diagnostics=silent, symbols={**scope.symbols, **copies})
    first = body.expressions.resolve(statement.initial, apart)
    return () if first is None else first.type.event


def _recurred(body: Body, statement: nodes.RecurAssign, scope: Scope) -> list[Statement]:
    """Resolve `name = init a then b`."""
    assert scope.recur is not None
    parts = [body.expressions.resolve(part, scope) for part in (statement.initial, statement.then)]
    initial, then = parts
    value: Expression | None = None
    if initial is not None and then is not None:
        event = body.expressions.sizes.unify_all(initial.type.event, then.type.event)
        if event is None and not initial.type.event:
            event = then.type.event
        if event is None:
            scope.diagnostics.report(
                "PPL020",
                statement.span,
                f"`init` has {shown(initial.type.event)}, but `then` has {shown(then.type.event)}",
                "give both the same dims",
            )
        else:
            types = [initial.type, then.type]
            both = join_batch(types, scope)
            value = Initially(
                initial=initial,
                then=then,
                dim=scope.recur,
                steps=1,
                type=then.type.model_copy(
                    update={
                        "element": "real",
                        "batch": tuple(p for p in scope.plates if p in (*both, scope.recur)),
                        "event": event,
                        "random": any(t.random for t in types),
                        "support": ValueType(element="real").support,
                    }
                ),
            )
            value = body.as_declared(statement, value, scope)
    kind = "record" if statement.recorded else "local"
    body.define(statement.name, kind, value, scope)
    if value is None:
        return []
    name, location = statement.name.text, Location.of(statement.span)
    if statement.recorded:
        return [Recorded(name=name, value=value, plates=value.type.batch, location=location)]
    return [Assignment(name=name, value=value, location=location)]


def _hold_states(block: list[Statement], scope: Scope) -> None:
    """Refuse to keep, or to add to the density, what depends on a state that is summed out."""
    for one in block:
        if isinstance(one, Recorded | FactorTerm) and read_in((one.value,), scope):
            scope.diagnostics.report(
                "PPL055",
                one.location.span,
                f"`{one.name}` depends on the hidden chain `{read_in((one.value,), scope)[0]}`",
                "only what is observed may; compute it in `predict`, where the states are drawn",
            )


def _agree(name: nodes.Name, scope: Scope) -> None:
    """Hold what a name turned out to be against how its earlier steps were seen."""
    seen, symbol = scope.foreseen.get(name.text), scope.symbols.get(name.text)
    if seen is None or symbol is None or not seen.used:
        return
    symbol.used = True
    if symbol.failed or symbol.type.event == seen.type.event:
        return
    scope.diagnostics.report(
        "PPL021",
        name.span,
        f"`{name.text}` has {shown(symbol.type.event)}, which its earlier steps were not taken for",
        f"write `{name.text}{shown(symbol.type.event)}` where it is defined",
    )
