"""Resolves hidden Markov chains: discrete states of a `recur`, which are summed out."""

from __future__ import annotations

from dataclasses import replace

from compiler.diagnostics import Diagnostics
from compiler.ir import Distribution, Expression, Location, Site, ValueType
from compiler.ir.queries import references
from compiler.ir.types import Axis
from compiler.resolve.distributions import ResolvedDistribution, resolve_distribution
from compiler.resolve.expressions import Expressions
from compiler.resolve.scope import Scope, Symbol
from compiler.tables.distributions import DISTRIBUTIONS
from grammar import nodes

CHAINS = ("Categorical", "Bernoulli")
"""Distributions of a chain's next state."""


def is_chain(statement: object, scope: Scope) -> bool:
    """Tell whether a statement of a `recur` draws a hidden chain: discrete, and with `init`."""
    if not isinstance(statement, nodes.Sample) or statement.initial is None:
        return False
    known = scope.symbols.get(statement.name.text)
    row = DISTRIBUTIONS.get(statement.distribution.function.text)
    latent = known is None or known.kind != "data"
    return latent and row is not None and row.element == "int" and row.name in CHAINS


def foreseen_chain(statement: nodes.Sample, expressions: Expressions, scope: Scope) -> Symbol:
    """Return how a chain's states are seen: all of them side by side, on an axis of their own.

    The axis has the chain's name. What reads the chain gets that axis, too, so that `mu[z]` is mu
    for every state.
    """
    name = statement.name
    symbol = _symbol(name, None)
    silent = replace(
        scope,
        diagnostics=Diagnostics(scope.diagnostics.path, scope.diagnostics.text),
        foreseen={name.text: symbol},
    )
    resolved = resolve_distribution(statement.distribution, expressions, silent)
    return _symbol(name, None if resolved is None else _states(resolved))


def _symbol(name: nodes.Name, states: Axis | None) -> Symbol:
    kind = ValueType(element="int", event=(name.text,), index_of=states)
    return Symbol(name.text, "states", name.span, kind)


def _states(resolved: ResolvedDistribution) -> Axis | None:
    return 2 if resolved.row.name == "Bernoulli" else resolved.index_of


def resolve_chain(
    statement: nodes.Sample, expressions: Expressions, scope: Scope, predicting: bool
) -> Site | None:
    """Return the site of a chain, its name entered into the scope; None where it is unusable."""
    name = statement.name
    assert statement.initial is not None
    resolved = resolve_distribution(statement.distribution, expressions, scope)
    first = resolve_distribution(statement.initial, expressions, scope)
    seen = scope.foreseen[name.text]
    symbol = scope.define(name, "states", seen.type)
    symbol.used |= seen.used
    if resolved is None or first is None or _wrong(statement, resolved, first, scope, predicting):
        symbol.failed = symbol.used = True
        return None
    symbol.posterior = ValueType(
        element="int",
        batch=tuple(scope.plates),
        random=True,
        index_of=resolved.index_of,
        support=resolved.support,
    )
    return Site(
        name=name.text,
        observed=False,
        distribution=resolved.distribution,
        element="int",
        plates=tuple(scope.plates),
        event=(),
        support=resolved.support,
        marginalized=True,
        initial=first.distribution,
        states=_states(resolved),
        location=Location.of(statement.span),
    )


def _wrong(
    statement: nodes.Sample,
    resolved: ResolvedDistribution,
    first: ResolvedDistribution,
    scope: Scope,
    predicting: bool,
) -> bool:
    """Tell what is wrong with a chain, if anything is."""
    name = statement.name.text
    message, remedy = "", "write `z ~ init Categorical(p) then Categorical(P[prev(z)])`"
    odd = [m for m in statement.modifiers if m.kind != "marginalize"]
    if predicting:
        message = f"`{name}` is a hidden chain, which `predict` cannot draw"
        remedy = "read the states of the model, which are drawn after the fit"
    elif statement.dims or statement.type is not None or odd:
        message = f"`{name}` is a chain of single states, without dims, types and bounds"
    elif first.row.name != "Flat" and first.row is not resolved.row:
        message = f"{first.row.name} after `init` does not draw what {resolved.row.name} draws"
        remedy = f"write `init {resolved.row.name}(…)`, or `init Flat()` for a weight of 1 each"
    elif first.left or (first.distribution.arguments and first.row.name == "Flat"):
        message = f"`init` of `{name}` is one distribution of the first state"
        remedy = "leave what is in the brackets of `Flat` away, and read no state before the first"
    elif set(resolved.left) - {name}:
        message = f"the next state of `{name}` is one draw for each state before it"
        remedy = "read one row of probabilities: `P[prev(z)]`"
    if message:
        scope.diagnostics.report("PPL055", statement.span, message, remedy)
    return bool(message)


def chains_read(distribution: Distribution, scope: Scope) -> tuple[str, ...]:
    """Return the chains whose states a distribution reads, directly or through other values."""
    return read_in(tuple(distribution.arguments.values()), scope)


def read_in(values: tuple[Expression, ...], scope: Scope) -> tuple[str, ...]:
    """Return the chains whose states some expressions read."""
    chains = {symbol.name for symbol in scope.of_kind("states")}
    axes = {axis for value in values for one in references(value) for axis in one.type.event}
    return tuple(sorted(str(axis) for axis in axes & chains))


def misplaced(
    hidden: tuple[str, ...], statement: nodes.Sample, observed: bool, scope: Scope
) -> bool:
    """Tell of a site that depends on chains and cannot."""
    if not hidden or (observed and len(hidden) == 1):
        return False
    name = statement.name.text
    message = f"`{name}` depends on the hidden chain `{hidden[0]}`, and is not observed"
    remedy = "only what is observed may depend on a state that is summed out"
    if observed:
        message = f"`{name}` depends on several hidden chains: {', '.join(hidden)}"
        remedy = "make them one chain, whose states are the pairs of theirs"
    scope.diagnostics.report("PPL055", statement.span, message, remedy)
    return True
