"""Emits an init value as a tensor of exactly its site's shape: plates at their dims, then event."""

from __future__ import annotations

from compiler.emit.create_plates import minibatch_name
from compiler.emit.expressions import emit, numeric
from compiler.emit.place import Place
from compiler.emit.python import method
from compiler.ir.expressions import Expression
from compiler.ir.literals import Array, literal_array
from compiler.ir.program import Program
from compiler.ir.queries import minibatches
from compiler.ir.statements import Site
from compiler.tables.reserved import python_name


def emit_init_value(program: Program, site: Site, value: Expression, place: Place) -> str:
    """Return the source of a site's init value.

    Args:
        program: The program, for the dims.
        site: The site.
        value: Its value: one number, one for each entry, or one for each entry of its event dims.
        place: Outside of all plates.
    """
    shape = site_shape(program, site)
    axes = _tuple(tuple(map(python_name, shape)))
    given = value.type.event
    array = literal_array(value)
    if not given or isinstance(array, float):
        number = repr(array) if isinstance(array, float) else f"float({emit(value, place)})"
        place.needs.names.update(shape)
        return f"torch.full({axes}, {number})" if shape else f"torch.tensor({number})"
    text = _tensor(value, array, place)
    whole = len(given) == len(site.plates) + len(site.event)
    if not whole or len(shape) > len(given):
        place.needs.names.update(shape)
    if not whole:
        return method(text, f"expand({axes})")
    order = _order(program, site)
    if order != sorted(order):
        text = method(text, f"permute({', '.join(map(str, order))})")
    return text if len(shape) == len(given) else method(text, f"reshape({axes})")


def _tensor(value: Expression, array: Array | None, place: Place) -> str:
    """Return the source of a value of several entries, as floats."""
    if array is not None:
        return f"torch.tensor({_list(array)})"
    text = numeric(value, place)
    if value.type.element == "int":
        text = method(text, "to(torch.get_default_dtype())")
    return text


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
