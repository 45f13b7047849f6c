"""Which data are too many to be handled whole, and are read a minibatch at a time instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

from compiler.ir import Expression, Part, PlateBlock, Program, Reference, Site
from compiler.ir.program import statements
from compiler.ir.queries import minibatches, references, values_of

LARGE = 10_000_000
"""Numbers of data over one dim above which they are not handled whole."""


def streamed_dims(
    program: Program, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Find the dims whose data are read a minibatch at a time, during the fit and after it.

    Such data stay in their file where that can be mapped into memory. They are neither copied into
    the output nor predicted again, and the posterior is drawn without them.

    Args:
        program: The program.
        shapes: The shapes of the variables, by name.

    Returns:
        The dims, and a note for each large one that has to be handled whole all the same.
    """
    streamed, notes = set(), []
    for dim, count in minibatches(program).items():
        over = [variable.name for variable in program.data if dim in variable.dims]
        numbers = sum(prod(shapes[name]) for name in over if name in shapes)
        if numbers <= LARGE:
            continue
        reason = _obstacle(program, dim)
        if reason is None:
            streamed.add(dim)
        else:
            notes.append(
                f"the {numbers:,} numbers over {dim!r} are held in memory as a whole, though a "
                f"step reads {count:,} of its entries: {reason}"
            )
    return frozenset(streamed), tuple(notes)


def _obstacle(program: Program, dim: str) -> str | None:
    """Why a dim cannot do with its minibatches alone, or None."""
    for statement in statements(program.model):
        if isinstance(statement, PlateBlock) and statement.dim == dim and not statement.minibatch:
            return "another plate over it has no minibatch"
        if isinstance(statement, Site) and statement.latent and dim in statement.plates:
            return f"{statement.name!r} is drawn for each entry"
    for variable in program.data:
        if variable.index_of == dim:
            return f"{variable.name!r} points into it"
    for reference in _references(program):
        if reference.kind == "size" and reference.name == dim:
            return "its size is used in an expression"
        if reference.kind in ("data", "derived") and dim in reference.type.event:
            return f"{reference.name!r} is used as a whole"
    return None


def _references(program: Program) -> Iterator[Reference]:
    """All uses of names but those of `predict`, which is left out for streamed dims."""
    for expression in _expressions(program):
        yield from references(expression)


def _expressions(program: Program) -> Iterable[Expression]:
    for statement in statements(program.model):
        yield from values_of(statement)
    for derived in program.derived:
        yield derived.value
    for guide in program.guides:
        for part in guide.parts:
            if isinstance(part, Part):
                yield from (value.value for value in part.values)
