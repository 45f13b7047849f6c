"""Data declared `missing`: what becomes of the gaps.

Nothing is to be done about a gap in an outcome that nothing else depends on: leaving it out of the
likelihood integrates over it. A gap in what the model reads is imputed: a continuous one by a
latent, flat, whose density is that of the data at the filled places; a discrete one by a latent
that is summed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass

from compiler.ir import (
    Assignment,
    Constant,
    DataVariable,
    Distribution,
    Filled,
    Reference,
    Site,
    Statement,
    Support,
    ValueType,
)
from compiler.resolve.scope import Scope, Symbol
from compiler.tables.distributions import DISTRIBUTIONS
from grammar import nodes
from grammar.span import Span


def impute(
    data: Iterable[DataVariable],
    model: Sequence[nodes.Statement],
    predict: Sequence[nodes.Statement],
    scope: Scope,
) -> tuple[Statement, ...]:
    """Decide on each variable with gaps, and return the statements that the model begins with."""
    found: list[Statement] = []
    read = {name for part in (model, predict) for name in _read(part)}
    drawn = {statement.name.text: statement for statement in _samples(model)}
    for variable in data:
        if not variable.missing:
            continue
        symbol = scope.symbols[variable.name]
        sample = drawn.get(variable.name)
        if sample is None:
            scope.diagnostics.report(
                "PPL038",
                symbol.span,
                f"`{variable.name}` has gaps, and no distribution that could fill them",
                f"draw it in the model, as in `{variable.name} ~ Normal(mu, sigma)`",
            )
            symbol.failed = symbol.used = True
            continue
        row = DISTRIBUTIONS.get(sample.distribution.function.text)
        whole = row is not None and row.event_rank > 0
        if variable.name not in read and not whole:
            symbol.gaps = "skipped"
        elif variable.element == "real":
            symbol.gaps = "imputed"
            found += _imputed(variable, symbol, scope)
        elif whole:
            scope.diagnostics.report(
                "PPL038",
                sample.span,
                f"`{variable.name}` has gaps within draws of {row.name if row else '…'}, which "
                "cannot be filled",
                "leave out the rows with gaps",
            )
        else:
            symbol.gaps = "summed"
    return tuple(found)


def _imputed(variable: DataVariable, symbol: Symbol, scope: Scope) -> list[Statement]:
    name = variable.name
    bounds = {
        side: Constant(value=bound, type=ValueType(element="real"))
        for side, bound in (("lower", variable.lower), ("upper", variable.upper))
        if bound is not None
    }
    site = Site(
        name=f"{name}_missing",
        observed=False,
        distribution=Distribution(name="Flat", arguments=dict(bounds)),
        element="real",
        plates=(),
        event=(f"{name}_gap",),
        support=Support(lower=variable.lower, upper=variable.upper),
        lower=bounds.get("lower"),
        upper=bounds.get("upper"),
        imputes=name,
        location=variable.location,
    )
    kind = ValueType(element="real", event=site.event, random=True, support=site.support)
    _define(site.name, "site", kind, symbol, scope)
    whole = symbol.type.model_copy(update={"random": True})
    filled = _define(f"{name}_filled", "local", whole, symbol, scope)
    symbol.filled = filled.name
    value = Filled(
        data=Reference(name=name, kind="data", event=variable.dims, type=symbol.type),
        values=Reference(name=site.name, kind="site", event=site.event, type=kind),
        type=whole,
    )
    return [site, Assignment(name=filled.name, value=value, location=variable.location)]


def summed(site: Site, scope: Scope) -> list[Statement]:
    """Return the statements that sum over the gaps of a discrete site, and fill them."""
    symbol = scope.symbols[site.name]
    row = DISTRIBUTIONS[site.distribution.name]
    if not row.enumerable or site.event:
        scope.diagnostics.report(
            "PPL038",
            site.location.span,
            f"the gaps of `{site.name}`, which the model reads, cannot be summed over: "
            + (
                f"`{site.name}` stands outside of plates"
                if row.enumerable
                else f"the values of {row.name} cannot be listed"
            ),
            "draw it inside the plates of its dims"
            if row.enumerable
            else "Bernoulli, Categorical and Binomial can be summed over",
        )
        symbol.failed = True
        return []
    latent = site.model_copy(
        update={
            "name": f"{site.name}_missing",
            "observed": False,
            "missing": False,
            "marginalized": True,
        }
    )
    kind = symbol.type.model_copy(update={"batch": site.plates, "event": (), "random": True})
    _define(latent.name, "site", kind, symbol, scope)
    filled = _define(f"{site.name}_filled", "local", kind, symbol, scope)
    symbol.filled = filled.name
    seen = kind.model_copy(update={"random": False})
    value = Filled(
        data=Reference(name=site.name, kind="data", event=symbol.type.event, type=seen),
        values=Reference(name=latent.name, kind="site", plates=site.plates, type=kind),
        type=kind,
    )
    return [latent, Assignment(name=filled.name, value=value, location=site.location)]


def filled(symbol: Symbol, span: Span, scope: Scope) -> Symbol | None:
    """Return the symbol of data with their gaps filled; None where there is none, once told."""
    if scope.data_only is not None:
        scope.diagnostics.report(
            "PPL038",
            span,
            f"`{symbol.name}` has gaps, which {scope.data_only} cannot have",
            "take `missing` away, or compute it in the model, where gaps are filled",
            [(f"`{symbol.name}` is declared here", symbol.span)],
        )
        return None
    if symbol.filled is None:
        scope.diagnostics.report(
            "PPL040",
            span,
            f"`{symbol.name}` has gaps, and is used above the line that draws it",
            f"move `{symbol.name} ~ …` above this line",
        )
        return None
    return scope.symbols[symbol.filled]


def _define(name: str, kind: str, value: ValueType, symbol: Symbol, scope: Scope) -> Symbol:
    made = scope.define(nodes.Name(name, symbol.span), "site" if kind == "site" else "local", value)
    made.used = True
    return made


def _read(node: object) -> Iterator[str]:
    """Yield the names that some syntax reads."""
    if isinstance(node, nodes.Variable):
        yield node.name.text
    elif isinstance(node, tuple):
        for part in node:
            yield from _read(part)
    elif is_dataclass(node):
        for field in fields(node):
            yield from _read(getattr(node, field.name))


def _samples(body: Iterable[object]) -> Iterator[nodes.Sample]:
    for statement in body:
        if isinstance(statement, nodes.Sample):
            yield statement
        elif isinstance(statement, nodes.Plate | nodes.Recur):
            yield from _samples(statement.body)
