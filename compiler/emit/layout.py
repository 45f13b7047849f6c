"""How values lie in tensors, and the code that moves their axes to where a place needs them.

A value seen from inside plates has the shape `left + batch + event`: its event axes are the last
ones, each plate over which it varies lies at that plate's own (negative) number counted from the
event axes, and whatever Pyro adds on the left (particles, enumeration) stays there. A value that
depends on latents may have such left dims, and then has a slot, of size one if need be, for every
plate of the model. Data has exactly its declared axes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from compiler.emit.place import Place
from compiler.emit.python import atom, method
from compiler.ir.axes import parts_of
from compiler.ir.types import Axis, ValueType
from compiler.tables.reserved import python_name


def view_data(name: str, axes: tuple[Axis, ...], place: Place) -> str:
    """Return the code of a data variable (or a derived value) as seen from `place`."""
    return view_array(python_name(name), axes, place)


def view_array(code: str, axes: tuple[Axis, ...], place: Place) -> str:
    """Return the code of what has exactly some axes, such as data, as seen from `place`."""
    for position, axis in enumerate(axes):
        if isinstance(axis, str) and place.plates.get(axis) is not None:
            code = f"{code}[{':, ' * position}{axis}_index]"
    batch = [plate for plate in place.plates if plate in axes]
    event = [axis for axis in axes if axis not in place.plates]
    order = [axes.index(plate) for plate in batch]
    order += [i for i, axis in enumerate(axes) if axis not in place.plates]
    if order == [1, 0]:
        code += ".T"
    elif order != sorted(order):
        code += f".permute({', '.join(map(str, order))})"
    taken = {place.numbers[plate] for plate in batch}
    for slot in range(-1, min(taken, default=0), -1):
        if slot not in taken:
            code += f".unsqueeze({slot - len(event)})"
    return code


def view_stored(
    code: str, plates: tuple[str, ...], event: tuple[Axis, ...], random: bool, place: Place
) -> str:
    """Return the code of a site or an intermediate value as seen from `place`.

    Args:
        code: The value as stored: `plates` in their slots, then `event`.
        plates: Plates over which the stored value varies, outermost first.
        event: Its event axes.
        random: Whether it may have left dims.
        place: Where it is used.
    """
    leaving = [plate for plate in plates if plate not in place.plates]
    staying = [plate for plate in plates if plate in place.plates]
    rank = len(event)
    slots = [place.numbers[plate] for plate in leaving]
    if leaving and slots == list(range(-len(slots), 0)):
        if random or staying:
            code = method(code, ".".join([f"unsqueeze({-len(slots) - rank - 1})"] * len(slots)))
    elif not random and not staying:
        for slot in range(min(slots, default=0), 0):
            if slot not in slots:
                code = method(code, f"squeeze({slot - rank})")
    else:
        for slot in slots:
            code = method(code, f"unsqueeze({-1 - rank}).transpose({-1 - rank}, {slot - rank - 1})")
    axes: list[Axis] = [*leaving, *event]
    while entering := [axis for axis in axes if axis in place.plates]:
        plate = str(entering[0])
        position = axes.index(plate)
        behind = len(axes) - position - 1
        if position:
            code = method(code, f"movedim({position - len(axes)}, {-len(axes)})")
            behind = len(axes) - 1
        code = to_plate(code, place.numbers[plate], behind)
        axes.remove(plate)
        if place.plates[plate] is not None:
            after = "".join([", :"] * (-place.numbers[plate] - 1 + len(axes)))
            code = f"{code}[..., {plate}_index{after}]"
    return code


def to_plate(code: str, number: int, event_rank: int) -> str:
    """Return the code that moves the axis left of the last `event_rank` into a plate's slot."""
    extra = f", {number}" if number != -1 or event_rank else ""
    extra += f", {event_rank}" if event_rank else ""
    return f"to_plate({code}{extra})"


def size_code(axis: Axis | None, place: Place) -> str:
    """Return the code of the size of an axis, that of a range or of vectors joined included."""
    sizes: list[str] = []
    for dim, cut in parts_of(axis):
        size = dim if dim.isdecimal() else place.size(dim)
        sizes.append(f"len(range({size}){cut})" if cut else size)
    return " + ".join(sizes)


def met(values: Iterable[ValueType], place: Place) -> tuple[Axis, ...]:
    """Return the axes on which values meet entry by entry, whatever the result is declared as."""
    return reduce(place.sizes.join, (value.event for value in values), ())


def align(
    code: str, value: ValueType, result: tuple[Axis, ...], place: Place, last: int = 0
) -> str:
    """Return the code of a value with size-one axes put in, so that it broadcasts to `result`.

    The `last` axes of the value are the last ones of the result, whatever they are called.
    """
    split = len(result) - last
    positions = place.sizes.align(value.event[: len(value.event) - last], result[:split])
    assert positions is not None, (value.event, result)
    positions = (*positions, *range(split, len(result)))
    loose = not value.batch and not value.random
    first = min(positions, default=len(result))
    rank = len(result)
    for position in range(rank - 1, -1, -1):
        if position not in positions and not (loose and position < first):
            code = f"{atom(code)}.unsqueeze({position - rank})"
    return code


TO_PLATE = '''
def to_plate(value, dim=-1, event_dim=0):
    """Move the axis left of the last `event_dim` axes into the slot of the plate at `dim`."""
    axis = -1 - event_dim
    missing = max(0, -dim - (value.dim() + axis))
    value = value.reshape((1,) * missing + value.shape)
    return value.transpose(dim + axis, axis).squeeze(axis)
'''
"""The helper that an emitted module defines if it calls it."""

CONCATENATE = '''
def concatenate(*vectors):
    """Join vectors end to end, the dims on their left broadcast."""
    shape = torch.broadcast_shapes(*(vector.shape[:-1] for vector in vectors))
    return torch.cat([vector.expand(*shape, -1) for vector in vectors], -1)
'''
"""The same for `concat` of vectors that differ in the dims on their left."""
