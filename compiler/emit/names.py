"""Which names of the spec an emitted function reads, and so takes as arguments."""

from __future__ import annotations

from collections.abc import Iterable

from compiler.ir import (
    Assignment,
    Block,
    Expression,
    Function,
    Invoke,
    PlateBlock,
    Program,
    Site,
    Statement,
)
from compiler.ir.program import statements
from compiler.ir.queries import references, subexpressions, values_of


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


def without_unread(block: Block, read: set[str] | None = None) -> Block:
    """Return a block without assignments that nothing behind them reads.

    Args:
        block: The block.
        read: Names that are read behind it; those that it reads are added.
    """
    read = set() if read is None else read
    kept: list[Statement] = []
    for statement in reversed(block):
        if isinstance(statement, PlateBlock):
            if statement.sequential:  # what stands further up reads earlier steps, too
                read |= read_in(statement.body)
            body = without_unread(statement.body, read)
            kept += [statement.model_copy(update={"body": body})] if body else []
        elif not isinstance(statement, Assignment) or statement.name in read:
            read |= read_in((statement,))
            kept.append(statement)
    return tuple(reversed(kept))


def read_by(function: Function) -> set[str]:
    """Return all names that a function of the spec reads."""
    return read_names([function.result, *(statement.value for statement in function.body)])


def called_in_steps(program: Program) -> set[str]:
    """Return the functions of the spec that a `recur` calls, be it through others."""
    functions = {function.name: function for function in program.functions}
    pending = [
        value
        for block in (*statements(program.model), *statements(program.predict))
        if isinstance(block, PlateBlock) and block.sequential
        for statement in statements(block.body)
        for value in values_of(statement)
    ]
    found: set[str] = set()
    while pending:
        for part in subexpressions(pending.pop()):
            if isinstance(part, Invoke) and part.function not in found:
                found.add(part.function)
                function = functions[part.function]
                pending += [function.result, *(s.value for s in function.body)]
    return found


def inputs(program: Program, names: set[str]) -> list[str]:
    """Return those of `names` that are dims, data or derived values, in the spec's order."""
    known = (
        *(dim.name for dim in program.dims),
        *(data.name for data in program.data),
        *(derived.name for derived in program.derived),
    )
    return [name for name in known if name in names]
