"""Resolves `init …`: the strategy with its options, and the values of single sites."""

from __future__ import annotations

from typing import Protocol

from compiler.diagnostics import Diagnostics, did_you_mean
from compiler.ir.expressions import Expression
from compiler.ir.guides import InitValue, Strategy
from compiler.ir.python_paths import resolve_path
from compiler.ir.types import Location
from compiler.resolve.options import resolve_options, told_twice
from compiler.tables.inits import FOREIGN_INITS, INITS, InitStrategy
from grammar import nodes


class DataExpressions(Protocol):
    """Turns the expressions of a guide, which may use data and derived values, into the IR's."""

    def resolve(self, expr: nodes.Expr) -> Expression | None:
        """Return the typed expression, or tell what is wrong with it and return None."""


def resolve_strategy(init: nodes.Init, diagnostics: Diagnostics) -> Strategy | None:
    """Return the strategy that `init` names; None where it names none, or none that exists."""
    if init.strategy is None:
        return None
    row = INITS.get(init.strategy.text)
    if row is None:
        _tell_unknown(init.strategy, diagnostics)
        return None
    options = resolve_options(
        init.keywords,
        row.options,
        diagnostics,
        owner=f"`init {row.name}`",
        codes=("PPL065", "PPL066"),
    )
    return Strategy(
        name=row.name,
        options=options,
        path=_path(init, row, diagnostics),
        location=Location.of(init.span),
    )


def resolve_values(
    init: nodes.Init, expressions: DataExpressions, diagnostics: Diagnostics
) -> tuple[InitValue, ...]:
    """Return the values that `init … at { … }` gives, those with mistakes left out."""
    seen: dict[str, nodes.Name] = {}
    values = []
    for given in init.at:
        if told_twice(given.name, seen, diagnostics, "PPL011"):
            continue
        value = expressions.resolve(given.value)
        if value is not None:
            place = Location.of(given.span)
            values.append(InitValue(site=given.name.text, value=value, location=place))
    return tuple(values)


def _tell_unknown(name: nodes.Name, diagnostics: Diagnostics) -> None:
    text = name.text.removeprefix("init_to_")
    guess = text if text in INITS else FOREIGN_INITS.get(text) or did_you_mean(text, INITS)
    diagnostics.report(
        "PPL070",
        name.span,
        f"there is no init strategy `{name.text}`",
        f"did you mean `{guess}`?" if guess else f"there are {', '.join(INITS)}",
    )


def _path(init: nodes.Init, row: InitStrategy, diagnostics: Diagnostics) -> str | None:
    if row.takes_path and init.path is None:
        diagnostics.report(
            "PPL082",
            init.span,
            f"`init {row.name}` has to name a Python function",
            f'write `init {row.name} "module:function"`',
        )
    elif init.path is not None and not row.takes_path:
        diagnostics.report(
            "PPL065",
            init.path.span,
            f"`init {row.name}` takes no Python function",
            'leave it out, or write `init generated "module:function"`',
        )
    elif init.path is not None:
        return resolve_path(init.path, diagnostics)
    return None
