"""Which names of the spec an emitted function reads, and so takes as arguments."""

from __future__ import annotations

from collections.abc import Iterable

from compiler.ir import Block, Expression, Function, Program, Site
from compiler.ir.program import statements
from compiler.ir.queries import references, values_of


def read_names(exprs: Iterable[Expression]) -> set[str]:
    """Return all names that some expressions read."""
    return {reference.name for expr in exprs for reference in references(expr)}


def read_in(block: Block) -> set[str]:
    """Return all names that the code emitted for a block reads."""
    found: set[str] = set()
    for statement in statements(block):
        found |= read_names(values_of(statement))
        if isinstance(statement, Site) and statement.lowered and statement.truncated:
            found.add(statement.name)  # its own density is a factor behind it
    return found


def read_by(function: Function) -> set[str]:
    """Return all names that a function of the spec reads."""
    return read_names([function.result, *(statement.value for statement in function.body)])


def inputs(program: Program, names: set[str]) -> list[str]:
    """Return those of `names` that are dims, data or derived values, in the spec's order."""
    known = (
        *(dim.name for dim in program.dims),
        *(data.name for data in program.data),
        *(derived.name for derived in program.derived),
    )
    return [name for name in known if name in names]
