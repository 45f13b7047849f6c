"""Checks that an init value has the shape of its site."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.checks.parts import values_of
from compiler.diagnostics import Diagnostics
from compiler.ir.expressions import Expression
from compiler.ir.program import Program
from compiler.ir.queries import known_size, minibatches
from compiler.ir.statements import Site
from compiler.ir.types import Axis


def check_shapes(program: Program, diagnostics: Diagnostics) -> None:
    """PPL072: a value is a number, or has the site's event dims, or its plates and event dims."""
    small = minibatches(program)
    for _, value, site in values_of(program):
        given = value.value.type.event
        whole = (*site.plates, *site.event)
        if not has_shape_of(program, site, value.value):
            diagnostics.report(
                "PPL072",
                value.location.span,
                f"the init value of `{site.name}` {_shape(given)}, but the site {_shape(whole)}",
                "write one number for all entries, or a value for each",
                [(f"`{site.name}` is drawn here", site.location.span)],
            )
        elif given and not _agree(program, given, site.event):
            plates = [plate for plate in site.plates if plate in small]
            if plates:
                diagnostics.report(
                    "PPL072",
                    value.location.span,
                    f"the init value of `{site.name}` varies along `{plates[0]}`, which is "
                    "minibatched",
                    "write one value for all entries of that plate",
                )


def has_shape_of(program: Program, site: Site, value: Expression) -> bool:
    """Return whether a value can be spread over a site, as far as sizes are known."""
    shapes = ((), site.event, (*site.plates, *site.event))
    return any(_agree(program, value.type.event, axes) for axes in shapes)


def _agree(program: Program, given: Sequence[Axis], wanted: Sequence[Axis]) -> bool:
    """Return whether axes are the same as far as is known before the data is."""
    if len(given) != len(wanted):
        return False
    for one, other in zip(given, wanted, strict=True):
        if one == other:
            continue
        if isinstance(one, str) and isinstance(other, str):
            return False
        sizes = {known_size(program, axis) for axis in (one, other)}
        if len(sizes - {None}) > 1:
            return False
    return True


def _shape(axes: Sequence[Axis]) -> str:
    return f"has the shape [{', '.join(map(str, axes))}]" if axes else "is a single number"
