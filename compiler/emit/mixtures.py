"""Emits mixtures: the weights, and each component as it would stand alone."""

from __future__ import annotations

from compiler.emit.calls import arguments_code, axes_code, class_code, has_components
from compiler.emit.expressions import numeric
from compiler.emit.layout import align
from compiler.emit.place import Place
from compiler.emit.python import binary, method
from compiler.ir import Distribution, Expression
from compiler.ir.types import Axis
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.mixtures import component_arguments, positional


def mixture_code(distribution: Distribution, left: tuple[Axis, ...], place: Place) -> str:
    """Return the code of a mixture with `left` among its batch dims."""
    along = distribution.along
    weights = distribution.arguments["weights"]
    covered: tuple[Axis, ...] = ()
    for name, argument in distribution.arguments.items():
        covered = place.sizes.join(covered, _left(name, argument, distribution, place))
    short = place.sizes.unify_all(covered, left) is None
    code = align(numeric(weights, place), weights.type, (*left, weights.type.event[-1]), place, 1)
    differs = any(a.type.random or a.type.batch for a in distribution.arguments.values())
    if short and differs:
        code = binary("+", code, f"torch.zeros({', '.join([*axes_code(left, place), '1'])})")
    inner = left if along is None else (*left, along)
    parts = [
        _component(distribution, number, inner, place)
        for number in range(len(distribution.components))
    ]
    listed = parts[0] if along is not None else f"[{', '.join(parts)}]"
    code = f"{class_code(DISTRIBUTIONS[distribution.name], place)}({code}, {listed})"
    if short and not differs:
        code = method(code, f"expand([{', '.join(axes_code(left, place))}])")
    return code


def _left(
    name: str, argument: Expression, distribution: Distribution, place: Place
) -> tuple[Axis, ...]:
    """Return the axes of an argument over which the mixture's draws are independent."""
    axes = argument.type.event
    if name == "weights":
        return axes[:-1]
    number, _, parameter = name.partition(".")
    row = DISTRIBUTIONS[distribution.components[int(number)]]
    axes = axes[: len(axes) - row.parameter(parameter).event_rank]
    return axes[: len(axes) - has_components(axes, distribution.along, place)]


def _component(
    distribution: Distribution, number: int, left: tuple[Axis, ...], place: Place
) -> str:
    row = DISTRIBUTIONS[distribution.components[number]]
    arguments = component_arguments(distribution, number)
    codes = arguments_code(
        arguments, row, positional(distribution, number), left, None, place, distribution.along
    )
    return f"{class_code(row, place)}({', '.join(codes)})"
