"""Which names of the spec an emitted function reads, and so takes as arguments."""

from __future__ import annotations

from collections.abc import Iterable

from compiler.ir import (
    Apply,
    Assignment,
    Block,
    Expression,
    FactorTerm,
    Function,
    IndexAt,
    Invoke,
    Items,
    Program,
    Range,
    Recorded,
    Reference,
    Site,
)
from compiler.ir.program import statements


def references(expr: Expression) -> set[str]:
    """Return all names that an expression reads."""
    match expr:
        case Reference(name=name):
            return {name}
        case Apply(arguments=arguments) | Invoke(arguments=arguments):
            return _union(arguments)
        case Items(items=items):
            return _union(items)
        case IndexAt(base=base, indices=indices):
            return _union([base, *(i for i in indices if not isinstance(i, Range))])
        case _:
            return set()


def _union(exprs: Iterable[Expression]) -> set[str]:
    return set().union(*map(references, exprs))


def read_in(block: Block) -> set[str]:
    """Return all names that the statements of a block read."""
    found: set[str] = set()
    for statement in statements(block):
        match statement:
            case Site():
                found |= _union(statement.distribution.arguments.values())
                found |= _union(b for b in (statement.lower, statement.upper) if b is not None)
                if statement.lowered and statement.truncated:
                    found.add(statement.name)
            case Assignment(value=value) | Recorded(value=value) | FactorTerm(value=value):
                found |= references(value)
    return found


def read_by(function: Function) -> set[str]:
    """Return all names that a function of the spec reads."""
    return references(function.result) | _union(statement.value for statement in function.body)


def inputs(program: Program, names: set[str]) -> list[str]:
    """Return those of `names` that are dims, data or derived values, in the spec's order."""
    known = (
        *(dim.name for dim in program.dims),
        *(data.name for data in program.data),
        *(derived.name for derived in program.derived),
    )
    return [name for name in known if name in names]
