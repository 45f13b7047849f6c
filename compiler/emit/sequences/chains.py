"""Emits a hidden chain: the probabilities of its first state and of each next one."""

from __future__ import annotations

from compiler.emit.expressions import floating_code, is_number, numeric
from compiler.emit.layout import align, size_code
from compiler.emit.place import Place
from compiler.emit.python import call
from compiler.ir import Distribution, Site
from compiler.ir.types import Axis
from compiler.tables.reserved import python_name


def chain_line(site: Site, place: Place) -> str:
    """Return the line that makes the chain; its states are no variable of the model."""
    assert site.initial is not None
    dim = site.plates[-1]
    place.needs.names.add(dim)
    first = "None"
    if site.initial.name != "Flat":
        first = _probabilities(site.initial, (), place)
    following = _probabilities(site.distribution, (site.name,), place)
    code = call(
        "sequences.HiddenMarkov",
        first,
        following,
        size_code(dim, place),
        **({} if place.numbers[dim] == -1 else {"dim": str(place.numbers[dim])}),
    )
    return f"{python_name(site.name)} = {code}"


def _probabilities(distribution: Distribution, left: tuple[Axis, ...], place: Place) -> str:
    """Return the code of the probabilities of each state, on a last axis."""
    ((name, argument),) = distribution.arguments.items()
    if distribution.name == "Bernoulli":
        plain = is_number(argument)
        code = floating_code(argument, place) if plain else numeric(argument, place)
        code = align(code, argument.type, left, place)
        if name == "logits":
            code = f"torch.sigmoid({code})"
        return f"sequences.two_states({code})"
    own = argument.type.event[-1:]
    code = align(numeric(argument, place), argument.type, (*left, *own), place, last=1)
    return f"torch.softmax({code}, -1)" if name == "logits" else code
