"""Refuses names that the emitted code gives to a plate's own variables, or to a guide."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.ir import PlateBlock, Program
from compiler.ir.program import statements
from compiler.resolve.scope import Scope
from compiler.tables.reserved import python_name


def tell_clashes(program: Program, scope: Scope) -> None:
    """Report names of the spec that emission has made for something else, as PPL012."""
    variables = {python_name(name): symbol for name, symbol in scope.symbols.items()}
    for name, meaning in _made_names(program):
        symbol = variables.get(name)
        if symbol is not None:
            scope.diagnostics.report(
                "PPL012",
                symbol.span,
                f"`{symbol.name}` is what the emitted module calls {meaning}",
                "choose another name",
            )


def _made_names(program: Program) -> Iterator[tuple[str, str]]:
    """Yield the names that emission makes, each with what it stands for."""
    for guide in program.guides:
        yield f"guide_{guide.name}", f"the guide `{guide.name}`"
    seen: set[str] = set()
    for statement in statements(program.model):
        if not isinstance(statement, PlateBlock):
            continue
        dim = statement.dim
        if statement.minibatch is not None:
            yield f"{dim}_index", f"the indices of the minibatch of `{dim}`"
            yield f"{dim}_minibatch", f"the size of the minibatch of `{dim}`"
        if dim in seen:
            yield f"{dim}_plate", f"the plate of `{dim}`"
        seen.add(dim)
