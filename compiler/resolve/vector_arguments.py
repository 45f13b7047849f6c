"""Other ways to write the arguments of distributions of vectors, turned into the plain one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from compiler.ir import Apply, Constant, Distribution, Expression, Reference, Support, ValueType
from compiler.ir.types import Axis
from compiler.resolve.constants import number
from compiler.tables.distribution_row import DistributionRow

if TYPE_CHECKING:  # it spreads numbers before there is one
    from compiler.resolve.distributions import ResolvedDistribution


def spread_numbers(row: DistributionRow, arguments: dict[str, Expression]) -> dict[str, Expression]:
    """Return the arguments with vectors in place of single numbers, where the length is known.

    `MultivariateNormal(0, covariance_matrix = K)` has the mean `zeros(n)`, `K` telling `n`.
    """
    lengths: dict[str | int, Axis] = {}
    for name, argument in arguments.items():
        axes, event = row.parameter(name).axes, argument.type.event
        if axes and len(event) >= len(axes):
            lengths |= zip(axes, event[len(event) - len(axes) :], strict=True)
    return {
        name: _filled(argument, lengths[row.parameter(name).axes[0]])
        if not argument.type.event
        and len(row.parameter(name).axes) == 1
        and row.parameter(name).axes[0] in lengths
        else argument
        for name, argument in arguments.items()
    }


def decentred(resolved: ResolvedDistribution) -> ResolvedDistribution:
    """Return what a vector is drawn through: the factor of a covariance, no mean that is 0."""
    form = resolved.row.loc_scale
    if form is None or not form.matrix:
        return resolved
    arguments = {
        name: argument
        for name, argument in resolved.distribution.arguments.items()
        if not (isinstance(argument, Apply) and argument.function == "zeros")
    }
    covariance = arguments.pop("covariance_matrix", None)
    if covariance is not None:
        factor = covariance.type.model_copy(update={"support": Support(kind="lower_cholesky")})
        arguments[form.scale] = Apply(function="cholesky", arguments=(covariance,), type=factor)
    distribution = Distribution(name=resolved.row.name, arguments=arguments)
    return replace(resolved, distribution=distribution)


def _filled(value: Expression, axis: Axis) -> Apply:
    size: Expression = number(axis) if isinstance(axis, int) else _size(axis)
    is_zero = isinstance(value, Constant) and value.value == 0
    return Apply(
        function="zeros" if is_zero else "fill",
        arguments=(size,) if is_zero else (value, size),
        type=value.type.model_copy(update={"element": "real", "event": (axis,)}),
    )


def _size(dim: str) -> Reference:
    return Reference(
        name=dim, kind="size", type=ValueType(element="int", support=Support(lower=1.0))
    )
