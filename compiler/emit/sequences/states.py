"""Emits the states of a `recur` that are drawn as one flat sequence, and their steps' densities."""

from __future__ import annotations

from compiler.emit.calls import OURS, axes_code
from compiler.emit.imports import Import
from compiler.emit.place import Place
from compiler.emit.python import call, method
from compiler.emit.sites import full_distribution, to_event
from compiler.ir import Site
from compiler.tables.reserved import python_name


def flat_line(site: Site, place: Place) -> str:
    """Return the line that draws the states of a `recur` as one sequence, free of any density."""
    bounds = {"lower": site.support.lower, "upper": site.support.upper}
    place.needs.imports.add(Import(OURS, "Flat"))
    flat = call("Flat", **{side: repr(b) for side, b in bounds.items() if b is not None})
    if site.event:
        flat = method(flat, f"expand([{', '.join(axes_code(site.event, place))}])")
    return (
        f"{python_name(site.name)} = pyro.sample({site.name!r}, {to_event(flat, len(site.event))})"
    )


def steps_line(site: Site, place: Place) -> str:
    """Return the line that adds the density of every step of such a sequence."""
    dim = site.plates[-1]
    place.needs.names.add(dim)
    then = method(full_distribution(site, place), f"log_prob({python_name(site.name)})")
    if site.initial is not None:
        first = "0.0"
        if site.initial.name != "Flat":
            initial = site.model_copy(update={"distribution": site.initial})
            first = method(full_distribution(initial, place), f"log_prob({python_name(site.name)})")
        named = {} if site.begin == 1 else {"steps": str(site.begin)}
        if place.numbers[dim] != -1:
            named["dim"] = str(place.numbers[dim])
        then = call("sequences.initially", first, then, python_name(dim), **named)
    return f"pyro.factor({site.name + '_steps'!r}, {then})"
