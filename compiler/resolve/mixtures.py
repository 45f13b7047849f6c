"""Resolves `Mixture(weights, components)`: distributions in a list, or one along a dim."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.ir import Distribution, Expression, Support
from compiler.ir.axes import ShapeProblem, Sizes, shown
from compiler.ir.types import Axis
from compiler.resolve.distributions import (
    ResolvedDistribution,
    matched,
    resolve_distribution,
    violation,
)
from compiler.resolve.expressions import Expressions
from compiler.resolve.scope import Scope
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.function_row import hull
from compiler.tables.mixtures import MIXTURE, POINT, row_of
from grammar import nodes
from grammar.span import Span

_CALLED = (
    "write `Mixture(w, [Normal(0, 1), StudentT(3, 0, 5)])`, or `Mixture(w, Normal(mu, sigma))` "
    "where `mu` or `sigma` has the dim of `w`"
)


def resolve_drawn(
    call: nodes.Call, expressions: Expressions, scope: Scope
) -> ResolvedDistribution | None:
    """Return the distribution of a site, a mixture or not; None where it is wrong, once told."""
    if call.function.text != MIXTURE:
        return resolve_distribution(call, expressions, scope)
    given = matched(DISTRIBUTIONS[MIXTURE], call, scope)
    if given is None:
        return None
    nodes_by_name = {parameter.name: node for node, parameter in given}
    weights = expressions.resolve(nodes_by_name["weights"], scope)
    components = _components(nodes_by_name["components"], expressions, scope)
    if weights is None or components is None:
        return None
    if not _weights_fit(weights, nodes_by_name["weights"].span, scope):
        return None
    return _mixed(call, weights, components, nodes_by_name, expressions, scope)


def refuse_latent_points(resolved: ResolvedDistribution, call: nodes.Call, scope: Scope) -> bool:
    """Tell, of a latent site, where a continuous mixture has mass on a point."""
    if POINT not in resolved.distribution.components or resolved.row.discrete:
        return False
    scope.diagnostics.report(
        "PPL030",
        call.span,
        "a latent cannot be a number on a point and a continuous one elsewhere",
        "write a narrow component, such as `Normal(0, 0.01)`, or draw `z ~ Bernoulli(p) "
        "marginalize` and multiply by it",
    )
    return True


def _components(
    node: nodes.Expr, expressions: Expressions, scope: Scope
) -> list[ResolvedDistribution] | ResolvedDistribution | None:
    """Return the components: several, or one that stands for all."""
    if isinstance(node, nodes.Call):
        return _component(node, expressions, scope)
    if not isinstance(node, nodes.ListLiteral) or not node.items:
        _tell(node.span, "the components of a mixture are distributions", scope)
        return None
    found = [_component(item, expressions, scope) for item in node.items]
    components = [one for one in found if one is not None]
    if len(components) < len(found):
        return None
    continuous = [not one.row.discrete for one in components if one.row.name != POINT]
    if any(continuous) and not all(continuous):
        _tell(node.span, "a mixture is of whole numbers or of real ones, and these are both", scope)
        return None
    return components


def _component(
    node: nodes.Expr, expressions: Expressions, scope: Scope
) -> ResolvedDistribution | None:
    if not isinstance(node, nodes.Call):
        _tell(node.span, "the components of a mixture are distributions", scope)
        return None
    resolved = resolve_distribution(node, expressions, scope, component=True)
    if resolved is None:
        return None
    if resolved.own or resolved.row.name == "Flat":
        scope.diagnostics.report(
            "PPL036",
            node.span,
            f"a component of a mixture draws a single number, and {resolved.row.name} "
            + (f"draws {shown(resolved.own)}" if resolved.own else "is no proper distribution"),
            "draw `z ~ Categorical(w) marginalize`, and index with it what the components differ "
            "in",
        )
        return None
    return resolved


def _weights_fit(weights: Expression, span: Span, scope: Scope) -> bool:
    wrong = violation(weights, DISTRIBUTIONS[MIXTURE].parameter("weights"))
    if wrong is None and not weights.type.event:
        wrong = "has to be a vector", "write `[p, 1 - p]`, or draw it from a Dirichlet"
    if wrong is not None:
        message, remedy = wrong
        scope.diagnostics.report("PPL031", span, f"`weights` of {MIXTURE} {message}", remedy)
    return wrong is None


def _mixed(
    call: nodes.Call,
    weights: Expression,
    components: list[ResolvedDistribution] | ResolvedDistribution,
    given: dict[str, nodes.Expr],
    expressions: Expressions,
    scope: Scope,
) -> ResolvedDistribution | None:
    own = weights.type.event[-1]
    sizes, along = expressions.sizes, None
    if isinstance(components, ResolvedDistribution):
        parts: Sequence[ResolvedDistribution] = [components]
        along = next(
            (a for a in reversed(components.left) if sizes.unify(a, own) is not None), None
        )
        if along is None:
            message = f"the weights have {shown((own,))}, but no argument of the component has"
            scope.diagnostics.report("PPL036", given["components"].span, message, _CALLED)
            return None
        spans = (given["weights"].span, given["components"].span)
        if not _weighted_once(weights, along, spans[0], scope) or not _ordered(
            components, along, spans[1], sizes, scope
        ):
            return None
    else:
        parts = components
        if sizes.unify(own, len(parts)) is None:
            message = f"there are {len(parts)} components, but the weights have {shown((own,))}"
            scope.diagnostics.report(
                "PPL036", given["weights"].span, message, "give each component a weight"
            )
            return None
    left: tuple[Axis, ...] = ()
    try:
        for axes in (weights.type.event[:-1], *(part.left for part in parts)):
            left = sizes.join(left, tuple(axis for axis in axes if axis != along))
    except ShapeProblem as problem:
        scope.diagnostics.report("PPL036", call.span, problem.message, problem.remedy)
        return None
    distribution = Distribution(
        name=MIXTURE,
        arguments={
            "weights": weights,
            **{
                f"{number}.{name}": argument
                for number, part in enumerate(parts)
                for name, argument in part.distribution.arguments.items()
            },
        },
        positional=1,
        components=tuple(part.row.name for part in parts),
        along=along,
    )
    row = row_of(distribution)
    return ResolvedDistribution(
        row=row,
        distribution=distribution,
        spans={},
        own=(),
        left=left,
        support=_support([part.support for part in parts], row.discrete),
        index_of=None,
        random=weights.type.random or any(part.random for part in parts),
    )


_LAST_AND_ONCE = (
    "take one component's row or column with an index, or swap a matrix's dims with `transpose(x)`"
)


def _weighted_once(weights: Expression, along: Axis, span: Span, scope: Scope) -> bool:
    """Tell whether the dim of the weights is not among those in front of it."""
    if along not in weights.type.event[:-1]:
        return True
    scope.diagnostics.report(
        "PPL036",
        span,
        f"the weights have {shown(weights.type.event)}, but `{along}`, the dim of the components, "
        "has to stand last, and once",
        _LAST_AND_ONCE,
    )
    return False


def _ordered(
    component: ResolvedDistribution, along: Axis, span: Span, sizes: Sizes, scope: Scope
) -> bool:
    """Tell whether the dim of the weights stands last and once in each argument that has it."""
    left = tuple(axis for axis in component.left if axis != along)
    for name, argument in component.distribution.arguments.items():
        axes = argument.type.event
        axes = axes[: len(axes) - component.row.parameter(name).event_rank]
        if axes.count(along) > 1 or sizes.align(axes, (*left, along)) is None:
            scope.diagnostics.report(
                "PPL036",
                span,
                f"`{name}` of {component.row.name} has {shown(axes)}, but `{along}`, the dim of "
                "the weights, has to stand last, and once",
                _LAST_AND_ONCE,
            )
            return False
    return True


def _support(supports: Sequence[Support], discrete: bool) -> Support:
    unsure = any(support.open_bounds for support in supports)
    kind = "integer" if discrete else "real"
    return hull(supports).model_copy(update={"kind": kind, "open_bounds": unsure})


def _tell(span: Span, message: str, scope: Scope) -> None:
    scope.diagnostics.report("PPL030", span, message, _CALLED)
