"""Emits a circle of definitions that is no linear recurrence: a loop over the steps."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.emit.expressions import tensor
from compiler.emit.place import Place
from compiler.emit.sequences.definitions import Definition
from compiler.tables.reserved import python_name

INDENT = "    "


def loop_lines(circle: Sequence[Definition], dim: str, place: Place) -> list[str]:
    """Return the lines that work the values out step by step; each is a sequence at the end."""
    place.needs.names.add(dim)
    names = {one.name: python_name(one.name) for one in circle}
    inner = place.at_step(dim, frozenset(names))
    step = inner.step_name
    body: list[str] = []
    for one in circle:
        append = f"{names[one.name]}.append({tensor(one.then, inner)})"
        if one.initial is None:
            body.append(append)
            continue
        body += [
            f"if {step} < {one.steps}:",
            f"{INDENT}{names[one.name]}.append({tensor(one.initial, inner)})",
            "else:",
            f"{INDENT}{append}",
        ]
    ends = []
    for one in circle:
        axis = place.numbers[dim] - len(one.value.type.event)
        number = "" if axis == -1 else f", {axis}"
        ends.append(f"{names[one.name]} = sequences.joined({names[one.name]}{number})")
    lists = [f"{name} = []" for name in names.values()]
    return [
        *lists,
        f"for {step} in range({python_name(dim)}):",
        *(INDENT + line for line in body),
        *ends,
    ]
