"""Refuses names that the emitted code gives to a plate's own variables."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.ir import PlateBlock, Program
from compiler.ir.program import statements
from compiler.resolve.scope import Scope


def tell_clashes(program: Program, scope: Scope) -> None:
    """Report names of the spec that the emitted model uses for a plate, as PPL012."""
    for name, meaning in _made_names(program):
        symbol = scope.symbols.get(name)
        if symbol is not None:
            scope.diagnostics.report(
                "PPL012",
                symbol.span,
                f"`{name}` is what the emitted model calls {meaning}",
                "choose another name",
            )


def _made_names(program: Program) -> Iterator[tuple[str, str]]:
    """Yield the names that emission makes of dims, each with what it stands for."""
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
