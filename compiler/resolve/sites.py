"""Resolves one `~` statement: what is drawn, over which dims, observed or latent, and how."""

from __future__ import annotations

from dataclasses import replace

from compiler.ir import Expression, Location, Site, Support, ValueType
from compiler.ir.axes import BY_NAME, Sizes, is_computed, shown
from compiler.ir.types import Axis
from compiler.resolve.bounds import bounds_fit
from compiler.resolve.chains import chains_read, misplaced, resolve_chain
from compiler.resolve.declarations import resolve_dims
from compiler.resolve.distributions import ResolvedDistribution
from compiler.resolve.expressions import Expressions
from compiler.resolve.how_drawn import Modifiers
from compiler.resolve.mixtures import refuse_latent_points, resolve_drawn
from compiler.resolve.modifiers import resolve_modifiers
from compiler.resolve.scope import Scope, Symbol
from compiler.resolve.states import resolve_state
from compiler.resolve.unsummed import dot_remedy
from compiler.resolve.vector_arguments import decentred
from grammar import nodes


def resolve_site(
    statement: nodes.Sample, expressions: Expressions, scope: Scope, predicting: bool
) -> Site | None:
    """Return the resolved site, its name entered into the scope; None where it is unusable."""
    name = statement.name.text
    if name in scope.foreseen and scope.foreseen[name].kind == "states":
        return resolve_chain(statement, expressions, scope, predicting)
    resolved = resolve_drawn(statement.distribution, expressions, scope)
    data = scope.symbols.get(name)
    observed = data is not None and data.kind == "data"
    dims = resolve_dims(statement.dims, scope)
    if data is not None and observed:
        data.used = True
        if data.observed is not None and not predicting:
            scope.diagnostics.report(
                "PPL011",
                statement.name.span,
                f"`{name}` is observed twice",
                "draw it from one distribution; a second term can be a `factor`",
                [(f"`{name}` is first observed here", data.observed)],
            )
            return None
        data.observed = statement.name.span
        if predicting:
            scope.diagnostics.report(
                "PPL011",
                statement.name.span,
                f"`{name}` is data; `predict` draws something new",
                f"choose another name, such as `{name}_rep`",
                [(f"`{name}` is declared here", data.span)],
            )
            return None
    latent = not observed and not predicting
    if resolved and latent and refuse_latent_points(resolved, statement.distribution, scope):
        resolved = None
    hidden = () if resolved is None else chains_read(resolved.distribution, scope)
    if resolved is None or misplaced(hidden, statement, observed, scope):
        if not observed:
            _define_failed(statement.name, scope)
        return None
    resolved = replace(resolved, left=tuple(a for a in resolved.left if a not in hidden))
    if data is not None and observed:
        event = _observed_event(statement, data, resolved, dims, expressions, scope)
    else:
        event = _latent_event(statement, resolved, dims, expressions, scope)
    modifiers = resolve_modifiers(statement, resolved, expressions, scope, observed, predicting)
    if modifiers is not None and modifiers.noncentered:
        resolved = decentred(resolved)
    rank = len(resolved.own)
    if (
        event is None
        or modifiers is None
        or not bounds_fit(
            statement, modifiers, event[: len(event) - rank], expressions.sizes, scope
        )
    ):
        if not observed:
            _define_failed(statement.name, scope)
        return None
    if (
        data is not None
        and observed
        and not _data_fits(statement, data, resolved, expressions.sizes, scope)
    ):
        return None
    state = resolve_state(statement, resolved, modifiers, expressions, scope, observed, predicting)
    if state is None:
        if not observed:
            _define_failed(statement.name, scope)
        return None
    modifiers.noncentered = state.noncentered
    site = Site(
        name=name,
        observed=observed,
        predicted=predicting,
        distribution=resolved.distribution,
        element=resolved.row.element,
        plates=tuple(scope.plates),
        event=event,
        support=modifiers.support,
        constraint=modifiers.constraint,
        lower=modifiers.lower,
        upper=modifiers.upper,
        truncated=modifiers.truncated,
        censoring=modifiers.censoring,
        lowered=modifiers.lowered,
        noncentered=modifiers.noncentered,
        marginalized=modifiers.marginalized,
        listed_up_to=modifiers.listed_up_to,
        base_name=_base_name(name, modifiers, scope),
        initial=state.initial,
        stepped=state.stepped,
        missing=data is not None and data.gaps in ("skipped", "summed"),
        completed=_completed(data, statement, expressions, scope),
        hidden=hidden[0] if hidden else None,
        location=Location.of(statement.span),
    )
    if not observed:
        _define(statement.name, site, resolved, scope)
    return site


def _completed(
    data: Symbol | None, statement: nodes.Sample, expressions: Expressions, scope: Scope
) -> Expression | None:
    """Return observed data with their gaps filled, where latents fill them."""
    if data is None or data.gaps != "imputed":
        return None
    return expressions.reference(data, statement.name.span, scope)


def _base_name(name: str, modifiers: Modifiers, scope: Scope) -> str | None:
    if not modifiers.noncentered and not modifiers.lowered:
        return None
    stem = name.rstrip("_")  # Pyro keeps two underscores in a row for itself
    base = f"{stem}_{'base' if modifiers.noncentered else 'unit'}{name[len(stem) :]}"
    while base in scope.symbols or base in scope.bound_later:
        base += "_"
    return base


def _define(name: nodes.Name, site: Site, resolved: ResolvedDistribution, scope: Scope) -> None:
    symbol = scope.define(
        name,
        "site",
        ValueType(
            element=site.element,
            batch=site.plates,
            event=site.event,
            random=True,
            index_of=resolved.index_of,
            support=site.support,
        ),
    )
    symbol.minibatched = frozenset(p for p, size in scope.plates.items() if size is not None)
    if site.predicted:
        symbol.used = True


def _define_failed(name: nodes.Name, scope: Scope) -> None:
    """Enter a site that is wrong, so that nothing is said of its uses."""
    symbol = scope.define(name, "site", ValueType(element="real", random=True))
    symbol.used = symbol.failed = True


# --- event dims -------------------------------------------------------------------------------


def _latent_event(
    statement: nodes.Sample,
    resolved: ResolvedDistribution,
    dims: tuple[Axis, ...],
    expressions: Expressions,
    scope: Scope,
) -> tuple[Axis, ...] | None:
    name = statement.name.text
    for dim in dims:
        if dim in scope.plates:
            scope.diagnostics.report(
                "PPL028",
                statement.name.span,
                f"`{name}` has `{dim}` in brackets inside `plate {dim}`",
                f"a plate already draws one `{name}` per {dim}: take `{dim}` out of the brackets",
            )
            return None
    if not dims:
        if resolved.left:
            full = shown((*resolved.left, *resolved.own))
            scope.diagnostics.report(
                "PPL021",
                statement.span,
                f"`{name}` is a single draw, but its arguments have {shown(resolved.left)}",
                "give what runs over part of a dim a dim of its own, in the data"
                if ":" in full
                else f"write `{name}{full} ~ …`, or draw it inside a plate",
            )
            return None
        return resolved.own
    rank = len(resolved.own)
    left, own = dims[: len(dims) - rank], dims[len(dims) - rank :]
    if len(dims) < rank or expressions.sizes.unify_all(own, resolved.own) is None:
        scope.diagnostics.report(
            "PPL021",
            statement.name.span,
            f"a draw of {resolved.row.name} has {shown(resolved.own)} here, but `{name}` is "
            f"declared with {shown(dims)}",
            f"write `{name}{shown(resolved.own)} ~ …`, with further dims in front",
        )
        return None
    return dims if _checked_left(statement, left, resolved, expressions, scope) else None


def _checked_left(
    statement: nodes.Sample,
    left: tuple[Axis, ...],
    resolved: ResolvedDistribution,
    expressions: Expressions,
    scope: Scope,
) -> bool:
    if expressions.sizes.align(resolved.left, left) is not None:
        return True
    span, words = statement.distribution.span, "the arguments have"
    summed: str | None = None
    for name in resolved.spans:
        argument = resolved.distribution.arguments[name]
        rank = resolved.row.parameter(name).event_rank
        axes = argument.type.event[: len(argument.type.event) - rank]
        if expressions.sizes.align(axes, left) is None:
            span, words = resolved.spans[name], f"`{name}` of {resolved.row.name} has"
            summed = dot_remedy(argument, left)
            break
    own = f"has {shown(left)}" if left else "is a single number"
    remedy = BY_NAME
    if resolved.own and not left:
        own = f"is one draw of {shown(resolved.own)}"
        every = shown((*resolved.left, *resolved.own))
        remedy = f"for a draw of each, it is `{statement.name.text}{every}`, or stands in a plate"
    elif not scope.plates:
        remedy += ", and a dim in brackets makes a vector"
    scope.diagnostics.report(
        "PPL036",
        span,
        f"{words} {shown(resolved.left)}, but `{statement.name.text}` {own} here",
        summed or remedy,
    )
    return False


def _observed_event(
    statement: nodes.Sample,
    data: Symbol,
    resolved: ResolvedDistribution,
    dims: tuple[Axis, ...],
    expressions: Expressions,
    scope: Scope,
) -> tuple[Axis, ...] | None:
    name = statement.name.text
    axes = data.type.event
    for plate in scope.plates:
        if plate not in axes:
            scope.diagnostics.report(
                "PPL045",
                statement.name.span,
                f"`{name}` stands in `plate {plate}`, but is declared with {shown(axes)}",
                f"move it out of `plate {plate}`, or declare `{name}` with that dim",
                [(f"`{name}` is declared here", data.span)],
            )
            return None
        if axes.count(plate) > 1:
            scope.diagnostics.report(
                "PPL028",
                statement.name.span,
                f"`{name}` has the dim `{plate}` twice and cannot stand in its plate",
                "use another dim name for one of its axes",
            )
            return None
    event = tuple(axis for axis in axes if axis not in scope.plates)
    if dims and expressions.sizes.unify_all(dims, event) is None:
        scope.diagnostics.report(
            "PPL021",
            statement.name.span,
            f"`{name}` is written with {shown(dims)}, but the data leaves {shown(event)} here",
            f"write `{name}{shown(event) if event else ''} ~ …`",
            [(f"`{name}` is declared here", data.span)],
        )
        return None
    rank = len(resolved.own)
    left, own = event[: len(event) - rank], event[len(event) - rank :]
    if len(event) < rank or expressions.sizes.unify_all(own, resolved.own) is None:
        scope.diagnostics.report(
            "PPL036",
            statement.distribution.span,
            f"a draw of {resolved.row.name} has {shown(resolved.own)} here, but `{name}` has "
            f"{shown(event)}",
            "check the dims of the arguments and of the data",
            [(f"`{name}` is declared here", data.span)],
        )
        return None
    return event if _checked_left(statement, left, resolved, expressions, scope) else None


# --- observed values against the distribution -------------------------------------------------


def _data_fits(
    statement: nodes.Sample,
    data: Symbol,
    resolved: ResolvedDistribution,
    sizes: Sizes,
    scope: Scope,
) -> bool:
    """Tell where the declared type of the data allows what the distribution cannot produce."""
    name, row = statement.name.text, resolved.row
    support, declared = resolved.support, _declared_support(data.type, sizes)
    if row.element == "int" and data.type.element == "real":
        if support.kind == "one_hot":
            return True
        message = f"{row.name} produces whole numbers, but `{name}` is declared as `real`"
        remedy = f"declare `{name} : {_declaration(support)}`"
    elif support.kind not in ("real", "integer", "boolean"):
        return True
    elif resolved.index_of is not None and not _is_index(data.type, resolved.index_of, sizes):
        dim = resolved.index_of
        message = f"{row.name} produces indices into `{dim}`, which `{name}` is not declared to be"
        remedy = f"declare `{name} : index({dim})`, or `index({dim}, base = 1)`"
        if isinstance(dim, int):
            message = (
                f"{row.name} produces one of {dim} classes, but `{name}` is declared otherwise"
            )
            remedy = (
                f"declare `{name} : int in 0 .. {dim - 1}`, or an index into a dim of that size"
            )
        elif is_computed(dim):
            message = f"{row.name} produces one of {dim} classes, a size that has no dim"
            remedy = (
                "give it one where it is computed, as in `eta[class] = concat([0], x)`, and "
                f"declare `{name} : index(class)`"
            )
    elif _beyond(declared, support) and not (
        data.type.index_of is not None and data.type.index_of == resolved.index_of
    ):
        message = f"{row.name} does not produce every value that `{name}` is declared to have"
        element = "real" if row.element == "real" else "int"
        remedy = f"declare `{name} : {_declaration(support, element)}`"
        if isinstance(data.type.index_of, str) and support.upper is not None:
            remedy = f"declare `dim {data.type.index_of} = {support.upper + 1:g}`"
        elif support.upper is not None and _counts_from_one(declared, support):
            remedy += (
                f"; for data that count from 1, `dim k = {declared.upper:g}` and "
                f"`{name} : index(k, base = 1)`"
            )
    else:
        return True
    scope.diagnostics.report(
        "PPL032",
        statement.name.span,
        message,
        remedy,
        [(f"`{name}` is declared here", data.span)],
    )
    return False


def _declared_support(declared: ValueType, sizes: Sizes) -> Support:
    """Return the range of declared data: that of an index ends with its dim, if it is known."""
    dim = declared.index_of
    if dim is None:
        return declared.support
    size = sizes.literal.get(dim) if isinstance(dim, str) else dim
    return Support(kind="integer", lower=0, upper=None if size is None else size - 1)


def _is_index(declared: ValueType, dim: Axis, sizes: Sizes) -> bool:
    """Tell whether data is declared to hold indices into a dim, or whole numbers that all are."""
    if declared.index_of is not None:
        return sizes.unify(declared.index_of, dim) is not None
    size = sizes.literal.get(dim) if isinstance(dim, str) else dim
    low, high = declared.support.lower, declared.support.upper
    if size is None or low is None or high is None:
        return False
    return low >= 0 and high < size


def _beyond(declared: Support, support: Support) -> bool:
    low = support.lower is not None and (declared.lower is None or declared.lower < support.lower)
    high = support.upper is not None and (declared.upper is None or declared.upper > support.upper)
    return low or high


def _counts_from_one(declared: Support, support: Support) -> bool:
    """Tell whether data are declared to have the same values, but counted from 1."""
    one_less = (declared.lower or 0.0) - 1, (declared.upper or 0.0) - 1
    return support.kind == "integer" and one_less == (support.lower, support.upper)


def _declaration(support: Support, element: str = "int") -> str:
    low = None if support.lower is None else f"{support.lower:g}"
    high = None if support.upper is None else f"{support.upper:g}"
    if low is not None and high is not None:
        return f"{element} in {low} .. {high}"
    if low is not None:
        return f"{element} {'>' if element == 'real' else '>='} {low}"
    return f"{element} < {high}" if high is not None else element
