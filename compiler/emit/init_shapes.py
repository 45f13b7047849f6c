"""Emits an init value as a tensor of exactly its site's shape: plates at their dims, then event."""

from __future__ import annotations

from collections.abc import Callable

from compiler.emit.create_plates import minibatch_name
from compiler.ir.expressions import Apply, Constant, Expression, IndexAt, Invoke, Reference
from compiler.ir.literals import Array, literal_array
from compiler.ir.program import Program
from compiler.ir.queries import minibatches
from compiler.ir.statements import Site


def emit_init_value(
    program: Program, site: Site, value: Expression, expression: Callable[[Expression], str]
) -> str:
    """Return the source of a site's init value.

    Args:
        program: The program, for the dims.
        site: The site.
        value: Its value: one number, one for each entry, or one for each entry of its event dims.
        expression: Emits an expression of data.
    """
    shape = site_shape(program, site)
    axes = _tuple(shape)
    given = value.type.event
    array = literal_array(value)
    if not given or isinstance(array, float):
        number = repr(array) if isinstance(array, float) else f"float({expression(value)})"
        return f"torch.full({axes}, {number})" if shape else f"torch.tensor({number})"
    if array is not None:
        text = f"torch.tensor({_list(array)})"
    else:
        text = operand(value, expression)
        if value.type.element != "real":
            text = f"{text}.to(torch.get_default_dtype())"
    if len(given) < len(site.plates) + len(site.event):
        return f"{text}.expand({axes})"
    order = _order(program, site)
    if order != sorted(order):
        text = f"{text}.permute({', '.join(map(str, order))})"
    in_place = len(shape) == len(given)
    return text if in_place else f"{text}.reshape({axes})"


def site_shape(program: Program, site: Site) -> tuple[str, ...]:
    """Return the axes of a site as the model draws it: names of sizes, and numbers.

    A plate stands at its own (negative) dim; dims to the right of it that the site is not in
    have the size 1.
    """
    small = minibatches(program)
    places = {
        program.dim(plate).plate or -1: minibatch_name(plate) if plate in small else plate
        for plate in site.plates
    }
    batch = tuple(places.get(dim, "1") for dim in range(min(places, default=0), 0))
    return (*batch, *map(str, site.event))


def operand(value: Expression, expression: Callable[[Expression], str]) -> str:
    """Return the source of an expression so that an operator or a method may follow it."""
    text = expression(value)
    match value:
        case Reference() | Invoke() | IndexAt():
            return text
        case Constant():
            return text if not text.startswith("-") else f"({text})"
        case Apply() if text.startswith("torch.") and _is_one_call(text):
            return text
        case _:
            return f"({text})"


def _is_one_call(text: str) -> bool:
    """Return whether the first bracket of a text is closed by its last character."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character in ")]}" and depth == 0:
            return place == len(text) - 1
    return False


def _order(program: Program, site: Site) -> list[int]:
    """Return the axes of a whole value in the order in which the site has them."""
    dims = [program.dim(plate).plate or -1 for plate in site.plates]
    batch = sorted(range(len(dims)), key=lambda place: dims[place])
    return [*batch, *range(len(dims), len(dims) + len(site.event))]


def _tuple(axes: tuple[str, ...]) -> str:
    return f"({axes[0]},)" if len(axes) == 1 else f"({', '.join(axes)})"


def _list(array: Array) -> str:
    if isinstance(array, float):
        return repr(array)
    return f"[{', '.join(map(_list, array))}]"
