"""Works out from which step on each value of a `recur` is known, and refuses what never is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compiler.ir import (
    Assignment,
    Expression,
    FactorTerm,
    Initially,
    Lag,
    Location,
    PlateBlock,
    Recorded,
    Reference,
    Site,
    Statement,
)
from compiler.ir.queries import subexpressions, values_of
from compiler.resolve.scope import Scope

_ENDLESS = 2**62
"""More steps than all lags together: a value that begins after so many never does."""


def with_beginnings(block: Sequence[Statement], scope: Scope) -> list[Statement]:
    """Return the statements of a `recur`, told how many first steps `then` does not cover.

    A value begins at the first step at which all that it reads has begun: `prev(y)` begins one step
    after `y`. `init` covers what comes before. An observed site without `init` begins late, and
    its first values are given rather than drawn.
    """
    begins = {
        s.name: 0
        for s in block
        if not isinstance(s, PlateBlock) and not (isinstance(s, Site) and s.observed)
    }
    for turn in range(2 * len(begins) + 2):
        for statement in block:
            if not isinstance(statement, PlateBlock) and statement.name in begins:
                begin = _begin(statement, begins)
                # What still moves after a turn for each name reads itself, and never begins.
                moves = turn > len(begins) and begin != begins[statement.name]
                begins[statement.name] = _ENDLESS if moves else begin
    found: list[Statement] = []
    for statement in block:
        late = _late(statement, begins)
        if late is not None:
            _tell(*late, scope)
        found.append(_begun(statement, begins))
    for name, begin in begins.items():
        symbol = scope.symbols.get(name)
        if symbol is not None:
            symbol.begin = begin
            symbol.failed |= begin >= _ENDLESS
    return found


def _begin(statement: Statement, begins: dict[str, int]) -> int:
    """Return the first step at which a statement has a value."""
    match statement:
        case Assignment(value=Initially()) | Recorded(value=Initially()):
            return 0
        case Site(initial=first) if first is not None:
            return 0
        case _:
            return _read(values_of(statement), begins)


def _read(values: Sequence[Expression], begins: dict[str, int]) -> int:
    """Return the first step at which all that some expressions read is there."""
    latest = max((_needed(value, begins) for value in values), default=0)
    return min(latest, _ENDLESS)


def _needed(expr: Expression, begins: dict[str, int]) -> int:
    lagged = [part for part in subexpressions(expr) if isinstance(part, Lag)]
    inside = [id(lag.base) for lag in lagged]
    needed = [0]
    for lag in lagged:
        begin = begins.get(lag.base.name, 0)
        needed.append(begin + lag.steps if lag.default is None or begin else 0)
    for part in subexpressions(expr):
        if isinstance(part, Reference) and id(part) not in inside:
            needed.append(begins.get(part.name, 0))
    return max(needed)


def _late(statement: Statement, begins: dict[str, int]) -> tuple[str, int, Location] | None:
    """Return what has no first steps and needs them: its name, how many, and its place."""
    match statement:
        case Assignment(value=Initially() as value) | Recorded(value=Initially() as value):
            needed = _read([value.initial], begins)
        case Site(initial=first) if first is not None:
            needed = _read(tuple(first.arguments.values()), begins)
        case Site(observed=True):
            return None  # it is given at the first steps; what never begins is told itself
        case Assignment():
            needed = _ENDLESS * (begins[statement.name] >= _ENDLESS)
        case Site() | Recorded() | FactorTerm():
            needed = _read(values_of(statement), begins)
        case _:
            return None
    return (statement.name, needed, statement.location) if needed else None


def _tell(name: str, needed: int, location: Location, scope: Scope) -> None:
    site = scope.symbols.get(name)
    drawn = site is not None and site.kind in ("site", "data")
    sign = "~ init Normal(0, 1)" if drawn else "= init …"
    steps = "the first step" if needed == 1 or needed >= _ENDLESS else f"the first {needed} steps"
    scope.diagnostics.report(
        "PPL049",
        location.span,
        f"nothing says what `{name}` is at {steps}",
        f"write `{name} {sign} then …`, or give `prev` a default: `prev(x, 1, 0)`",
    )


def _begun(statement: Statement, begins: dict[str, int]) -> Statement:
    read: Callable[..., int] = lambda *values: _read(values, begins)  # noqa: E731
    match statement:
        case Assignment(value=Initially() as value) | Recorded(value=Initially() as value):
            steps = max(1, read(value.then))
            begun = value.model_copy(update={"steps": steps})
            return statement.model_copy(update={"value": begun})
        case Site():
            steps = read(*statement.distribution.arguments.values())
            steps = max(1, steps) if statement.initial is not None else steps
            return statement.model_copy(update={"begin": steps})
        case _:
            return statement
