"""Emits the call that makes a distribution: its class, and its arguments."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.emit.expressions import emit, floating_code, is_number, literal, numeric, tensor
from compiler.emit.imports import Import
from compiler.emit.layout import align, size_code
from compiler.emit.place import Place
from compiler.emit.python import binary
from compiler.ir import Expression, Items
from compiler.ir.types import Axis
from compiler.tables.distribution_row import DistributionRow, Parameter

OURS = "autoguide_core.distributions"


def class_code(row: DistributionRow, place: Place) -> str:
    """Return the code of a distribution's class."""
    if not row.ours:
        return f"dist.{row.name}"
    place.needs.imports.add(Import(OURS, row.name))
    return row.name


def arguments_code(
    arguments: Mapping[str, Expression],
    row: DistributionRow,
    positional: int,
    left: tuple[Axis, ...],
    carrier: str | None,
    place: Place,
    along: Axis | None = None,
) -> list[str]:
    """Return the code of each argument of a distribution, as it broadcasts to `left`.

    Args:
        arguments: The arguments, by parameter.
        row: The distribution.
        positional: How many of them the author wrote without a name.
        left: The axes over which its draws are independent.
        carrier: The argument that is given all of them.
        place: Where the call stands.
        along: The axis of a mixture's components, which is the last of `left`.
    """
    parts: list[str] = []
    for position, (name, argument) in enumerate(arguments.items()):
        parameter = row.parameter(name)
        event = argument.type.event
        cut = len(event) - parameter.event_rank
        before, own = event[:cut], event[cut:]
        last = parameter.event_rank + has_components(before, along, place)
        code = argument_code(argument, parameter, place)
        code = align(code, argument.type, (*left, *own), place, last=last)
        if name == carrier:
            shape = [*axes_code(left, place), *["1"] * parameter.event_rank]
            code = binary("+", code, f"torch.zeros({', '.join(shape)})")
        unnamed = position < positional and not parameter.keyword_only
        parts.append(code if unnamed else f"{name}={code}")
    return parts


def has_components(axes: tuple[Axis, ...], along: Axis | None, place: Place) -> bool:
    """Tell whether the last one of an argument's axes is that of a mixture's components."""
    return along is not None and bool(axes) and place.sizes.unify(axes[-1], along) is not None


def argument_code(argument: Expression, parameter: Parameter, place: Place) -> str:
    """Return the code of a distribution's argument, numbers written as the parameter's kind."""
    if parameter.constraint == "size":
        return emit(argument, place)
    if isinstance(argument, Items) or not is_number(argument):
        return numeric(argument, place)
    if parameter.tensor:
        return tensor(argument, place)
    if "integer" in parameter.constraint:
        return literal(argument, whole=True) or emit(argument, place)
    return floating_code(argument, place)


def axes_code(axes: tuple[Axis, ...], place: Place) -> list[str]:
    """Return the code of the sizes of axes."""
    return [size_code(place.states.get(str(axis), axis), place) for axis in axes]
