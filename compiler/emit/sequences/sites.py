"""The sites of a `recur`: their arguments over all steps, the first ones included."""

from __future__ import annotations

from compiler.ir import Distribution, Expression, Initially, Site
from compiler.ir.rewrite import Arithmetic
from compiler.tables.distributions import DISTRIBUTIONS


def first_and_then(site: Site, dim: str) -> Distribution:
    """Return one distribution for all steps of a site whose first ones have the same."""
    then, first = site.distribution, site.initial
    if first is None or first.name != then.name:
        return then
    arguments: dict[str, Expression] = {}
    for name, value in then.arguments.items():
        before = first.arguments.get(name)
        if before is None or before == value:
            arguments[name] = value
            continue
        types = (before.type, value.type)
        longer = max((t.event for t in types), key=len)
        kind = value.type.model_copy(
            update={
                "element": "real",
                "event": longer,
                "batch": (*(b for b in value.type.batch if b != dim), dim),
                "random": any(t.random for t in types),
            }
        )
        arguments[name] = Initially(
            initial=before, then=value, dim=dim, steps=site.begin, type=kind
        )
    return then.model_copy(update={"arguments": arguments})


def loc_and_scale(site: Site, dim: str) -> tuple[Expression, Expression]:
    """Return the location and the scale of a state over all steps."""
    row = DISTRIBUTIONS[site.distribution.name]
    assert row.loc_scale is not None
    arguments = first_and_then(site, dim).arguments
    return arguments[row.loc_scale.loc], arguments[row.loc_scale.scale]


def moved(
    loc: Expression, scale: Expression, base: Expression, site: Site, calc: Arithmetic
) -> Expression:
    """Return `loc + scale * base`."""
    row = DISTRIBUTIONS[site.distribution.name]
    assert row.loc_scale is not None
    product = calc.matrix_product if row.loc_scale.matrix else calc.multiply
    return calc.add(loc, product(scale, base))
