"""Refuses names that Pyro keeps, or that emission gives to a plate's variables or to a guide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.diagnostics import Diagnostics
from compiler.ir import PlateBlock, Program
from compiler.ir.program import statements
from compiler.resolve.scope import Scope
from compiler.tables.reserved import python_name, why_reserved
from grammar import nodes


def report_clashes(program: Program, scope: Scope) -> None:
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


def report_underscores(names: Iterable[nodes.Name], diagnostics: Diagnostics) -> None:
    """Report names of models, guides and parts with an underscore in front, as PPL012."""
    for name in names:
        if name.text.startswith("_"):
            diagnostics.report(
                "PPL012",
                name.span,
                f"`{name.text}` is {why_reserved(name.text)}",
                f"write `{name.text.strip('_') or 'x'}`",
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
