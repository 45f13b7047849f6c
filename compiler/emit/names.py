"""Which names of the spec an emitted function reads, and so takes as arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.ir import (
    Apply,
    Assignment,
    Block,
    Constant,
    Expression,
    Function,
    Invoke,
    PlateBlock,
    Program,
    Reference,
    Site,
    Statement,
)
from compiler.ir.axes import parts_of
from compiler.ir.program import statements
from compiler.ir.queries import references, subexpressions, values_of
from compiler.tables.reserved import python_name


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
    return {part.name for part in _parts(function) if isinstance(part, Reference)}


def _parts(function: Function) -> Iterator[Expression]:
    """Yield every expression in a function of the spec."""
    for statement in function.body:
        yield from subexpressions(statement.value)
    yield from subexpressions(function.result)


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
                pending += _parts(functions[part.function])
    return found


def sizes_taken(program: Program) -> dict[str, dict[str, str]]:
    """Return the sizes that each function of the spec takes behind its own parameters.

    It takes what it reads, and what the functions that it calls take.

    Returns:
        By function, the name of the parameter for each dim: the dim's own, or another one where
        the function has that for something else.
    """
    functions = {function.name: function for function in program.functions}
    read: dict[str, set[str]] = {}
    for function in program.functions:
        pending, found, seen = [function], set[str](), set[str]()
        while pending:
            one = pending.pop()
            if one.name in seen:
                continue
            seen.add(one.name)
            for part in _parts(one):
                found |= _sizes_read(part)
                pending += [functions[called] for called in _called(part)]
        read[function.name] = found
    taken = {*functions, *(extern.name for extern in program.externs)}
    return {
        name: _parameters_for(
            functions[name], [dim.name for dim in program.dims if dim.name in found], taken
        )
        for name, found in read.items()
    }


def _sizes_read(part: Expression) -> set[str]:
    """The dims whose sizes the code of an expression itself has, without what is within it."""
    match part:
        case Reference(kind="size", name=name):
            return {name}
        case Apply(function="add_diagonal", arguments=(matrix, diagonal)):
            axes = () if diagonal.type.event else matrix.type.event[-1:]
            return {dim for axis in axes for dim, _ in parts_of(axis)}
        case _:
            return set()


def _called(part: Expression) -> tuple[str, ...]:
    match part:
        case Invoke(function=name):
            return (name,)
        case Apply(function="ode", arguments=(Constant(value=str(name)), *_)):
            return (name,)
        case _:
            return ()


def _parameters_for(function: Function, dims: list[str], taken: set[str]) -> dict[str, str]:
    own = {*function.parameters, *(statement.name for statement in function.body)}
    taken = taken | own | set(dims)
    names: dict[str, str] = {}
    for dim in dims:
        name = dim
        if dim in own:
            name = f"{dim}_size"
            while name in taken:
                name += "_"
            taken.add(name)
        names[dim] = python_name(name)
    return names


def inputs(program: Program, names: set[str]) -> list[str]:
    """Return those of `names` that are dims, data or derived values, in the spec's order."""
    known = (
        *(dim.name for dim in program.dims),
        *(data.name for data in program.data),
        *(derived.name for derived in program.derived),
    )
    return [name for name in known if name in names]
