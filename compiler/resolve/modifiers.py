"""Resolves what follows a distribution: declared types, bounds, reparam, marginalize."""

from __future__ import annotations

from compiler.ir import Constant, Support
from compiler.resolve.bounds import bounds_in_order, truncate
from compiler.resolve.censoring import censor
from compiler.resolve.constants import A_COUNT, constant, count
from compiler.resolve.distributions import ResolvedDistribution
from compiler.resolve.expressions import Expressions
from compiler.resolve.how_drawn import Modifiers
from compiler.resolve.scope import Scope
from grammar import nodes


def resolve_modifiers(
    statement: nodes.Sample,
    resolved: ResolvedDistribution,
    expressions: Expressions,
    scope: Scope,
    observed: bool,
    predicting: bool,
) -> Modifiers | None:
    """Return the site's modifiers; None where one is wrong, once told."""
    found = Modifiers(resolved.support)
    fine = True
    if statement.type is not None:
        fine &= _declared(statement, resolved, found, scope)
    for modifier in statement.modifiers:
        match modifier.kind:
            case "truncated":
                fine &= truncate(modifier, resolved, found, expressions, scope)
            case "censored":
                fine &= censor(modifier, resolved, found, expressions, scope, observed)
            case "reparam":
                fine &= _reparam(modifier, resolved, found, scope, observed or predicting)
            case "marginalize":
                fine &= _marginalize(modifier, resolved, found, scope, observed or predicting)
            case _:
                scope.diagnostics.report(
                    "PPL003",
                    modifier.span,
                    "a distribution `over` a dim is not compiled yet",
                    "leave it away",
                )
                fine = False
    if resolved.row.name == "Flat":
        fine &= _flat(statement, resolved, found, scope, observed or predicting)
    if found.noncentered and (found.truncated or found.constraint):
        _refuse(scope, statement, "`reparam noncentered` does not go with bounds or `ordered`")
        fine = False
    bounds = [b for b in (found.lower, found.upper) if b is not None]
    found.lowered = any(b.type.random for b in bounds) or (
        resolved.row.name == "Uniform" and resolved.random and not observed and not predicting
    )
    if found.lowered and fine and not observed and not predicting:
        return _lowered(resolved, found)
    found.lowered = False
    return found if fine else None


def _lowered(resolved: ResolvedDistribution, found: Modifiers) -> Modifiers:
    if resolved.row.name == "Uniform":
        arguments = resolved.distribution.arguments
        found.lower, found.upper = arguments["low"], arguments["high"]
    return found


def _refuse(scope: Scope, statement: nodes.Sample, message: str, remedy: str = "") -> None:
    scope.diagnostics.report(
        "PPL035", statement.span, message, remedy or "leave one of the two away"
    )


def _declared(
    statement: nodes.Sample, resolved: ResolvedDistribution, found: Modifiers, scope: Scope
) -> bool:
    declared = statement.type
    assert declared is not None
    kind = declared.kind.text
    if kind in ("ordered", "positive_ordered"):
        if resolved.own or not statement.dims or resolved.row.element != "real":
            scope.diagnostics.report(
                "PPL033",
                declared.span,
                f"`{kind}` orders a vector of draws of a distribution of single numbers",
                f"write `{statement.name.text}[k] : {kind} ~ Normal(0, 1)`",
            )
            return False
        found.constraint = "ordered" if kind == "ordered" else "positive_ordered"
        found.support = Support(kind=found.constraint)
        return True
    if kind == resolved.support.kind and kind != "real":
        return True
    if kind not in ("real", "int"):
        scope.diagnostics.report(
            "PPL033",
            declared.span,
            f"a draw of {resolved.row.name} is not `{kind}`",
            "types of sites are real, int, ordered and positive_ordered",
        )
        return False
    if kind != resolved.row.element:
        scope.diagnostics.report(
            "PPL033",
            declared.span,
            f"{resolved.row.name} draws {resolved.row.element} values, not `{kind}`",
            "take the type away, or choose another distribution",
        )
        return False
    for bound in declared.bounds:
        value = constant(bound.value)
        side = found.support.lower if bound.operator[0] == ">" else found.support.upper
        implied = (
            value is not None
            and side is not None
            and (side >= value if bound.operator[0] == ">" else side <= value)
        )
        if not implied:
            word = "lower" if bound.operator[0] == ">" else "upper"
            shown = "…" if value is None else f"{value:g}"
            scope.diagnostics.report(
                "PPL033",
                bound.span,
                f"{resolved.row.name} is not held to this bound",
                f"write `~ {resolved.row.name}(…) truncated({word} = {shown})`",
            )
            return False
    return True


def _flat(
    statement: nodes.Sample,
    resolved: ResolvedDistribution,
    found: Modifiers,
    scope: Scope,
    not_latent: bool,
) -> bool:
    if not_latent:
        _refuse(
            scope,
            statement,
            "nothing can be drawn from `Flat`, which is no proper distribution",
            "use Flat only as the prior of a latent site",
        )
        return False
    arguments = resolved.distribution.arguments
    found.lower, found.upper = arguments.get("lower"), arguments.get("upper")
    return bounds_in_order(statement.distribution.span, found, scope)


def _reparam(
    modifier: nodes.Modifier,
    resolved: ResolvedDistribution,
    found: Modifiers,
    scope: Scope,
    not_latent: bool,
) -> bool:
    kind = modifier.argument.text if modifier.argument is not None else ""
    row = resolved.row
    message = remedy = ""
    if kind not in ("noncentered", "centered"):
        message = f"there is no reparam `{kind}`"
        remedy = "write `reparam noncentered`"
    elif not_latent:
        message = "`reparam` changes how a latent site is drawn, and this is not one"
        remedy = "leave it away"
    elif not _can_be_decentred(resolved):
        message = f"{row.name} has no location and scale to take apart"
        remedy = "use it with Normal, StudentT, Cauchy, Laplace and their like"
        if row.loc_scale is not None:
            scale = row.loc_scale.scale
            message = f"`noncentered` needs the `{scale}` of {row.name}"
            remedy = f"write `{row.name}(…, {scale} = …)`, such as `{scale} = tau * L`"
    if message:
        scope.diagnostics.report("PPL035", modifier.span, message, remedy)
        return False
    found.noncentered = kind == "noncentered"
    return True


def _can_be_decentred(resolved: ResolvedDistribution) -> bool:
    form = resolved.row.loc_scale
    if form is None:
        return False
    scales = {form.scale, "covariance_matrix"} if form.matrix else {form.scale}
    return not scales.isdisjoint(resolved.distribution.arguments)


def _marginalize(
    modifier: nodes.Modifier,
    resolved: ResolvedDistribution,
    found: Modifiers,
    scope: Scope,
    not_latent: bool,
) -> bool:
    row = resolved.row
    if not_latent:
        scope.diagnostics.report(
            "PPL035",
            modifier.span,
            "`marginalize` sums out a latent site, and this is not one",
            "leave it away",
        )
        return False
    for keyword in modifier.keywords:
        found.listed_up_to = count(keyword.value)
        if keyword.name.text != "max" or found.listed_up_to is None:
            scope.diagnostics.report(
                "PPL035",
                keyword.span,
                f"`marginalize` takes only `max`, {A_COUNT}",
                "write `marginalize(max = 100)`: the greatest count that is summed over",
            )
            return False
    listed = found.listed_up_to is not None
    bounded = found.truncated and isinstance(found.upper, Constant)
    if not row.enumerable and not (row.counts and (listed or bounded)):
        scope.diagnostics.report(
            "PPL052",
            modifier.span,
            f"{row.name} cannot be summed out: its values "
            + ("have no end" if row.counts else "cannot be listed"),
            "write `marginalize(max = 100)`, with a bound beyond every likely count"
            if row.counts
            else "Bernoulli, Categorical and Binomial can",
        )
        return False
    if listed and not row.counts:
        _refuse_max(modifier, row.name, scope)
        return False
    if listed:
        found.support = found.support.model_copy(update={"upper": float(found.listed_up_to or 0)})
    found.marginalized = True
    return True


def _refuse_max(modifier: nodes.Modifier, name: str, scope: Scope) -> None:
    scope.diagnostics.report(
        "PPL035",
        modifier.span,
        f"`max` bounds counts that have no end, and {name} draws none",
        "write `marginalize` alone",
    )
