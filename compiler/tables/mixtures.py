"""The row of a mixture, put together from those of its components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compiler.ir.expressions import Expression
from compiler.ir.statements import Distribution
from compiler.tables.distribution_row import DistributionRow, SupportRule
from compiler.tables.distributions import DISTRIBUTIONS

MIXTURE, POINT = "Mixture", "Point"


def row_of(distribution: Distribution) -> DistributionRow:
    """Return the row of a distribution; that of a mixture has the parameters of all components."""
    row = DISTRIBUTIONS[distribution.name]
    if not distribution.components:
        return row
    inner = tuple(
        replace(parameter, name=f"{number}.{parameter.name}")
        for number, name in enumerate(distribution.components)
        for parameter in DISTRIBUTIONS[name].parameters
    )
    discrete = all(DISTRIBUTIONS[name].discrete for name in distribution.components)
    support = SupportRule("integer" if discrete else "real")
    return replace(row, parameters=(row.parameters[0], *inner), support=support)


def component_arguments(distribution: Distribution, number: int) -> Mapping[str, Expression]:
    """Return the arguments of one of a mixture's components, by parameter."""
    start = f"{number}."
    return {
        name.removeprefix(start): argument
        for name, argument in distribution.arguments.items()
        if name.startswith(start)
    }


def positional(distribution: Distribution, number: int) -> int:
    """Return how many of a component's arguments can stand without a name."""
    row = DISTRIBUTIONS[distribution.components[number]]
    names = list(component_arguments(distribution, number))
    in_order = [
        name == parameter.name and not parameter.keyword_only
        for name, parameter in zip(names, row.parameters, strict=False)
    ]
    return in_order.index(False) if False in in_order else len(in_order)
