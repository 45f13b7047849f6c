"""The names under which an emitted module imports a user's own Python functions."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.emit.imports import Import
from compiler.ir.guides import CallablePart
from compiler.ir.program import Program, statements
from compiler.ir.statements import Assignment, FactorTerm, Recorded, Site
from compiler.tables.reserved import is_taken, python_name


def guide_imports(program: Program) -> dict[str, Import]:
    """Return the import of each "module:function" that the guides name.

    A function keeps its name; where that is taken in the module, the part's name goes in front.
    """
    taken = _names(program)
    imports: dict[str, Import] = {}
    for path, part in _paths(program):
        if path in imports:
            continue
        module, function = path.split(":")
        name = function
        if name in taken or is_taken(name):
            name = f"{part}_{function}"
        while name in taken:
            name = f"{name}_"
        taken.add(name)
        imports[path] = Import(module, function, None if name == function else name)
    return imports


def _paths(program: Program) -> Iterator[tuple[str, str]]:
    """Yield each path, and the name of the part where it stands."""
    for guide in program.guides:
        for part in guide.parts:
            if isinstance(part, CallablePart):
                yield part.path, part.name
                if part.median is not None:
                    yield part.median, part.name
            elif part.init is not None and part.init.path is not None:
                yield part.init.path, part.name


def _names(program: Program) -> set[str]:
    """Return the variables of everything that the spec gives a name."""
    named = (Site, Assignment, Recorded, FactorTerm)
    inside = {
        s.name for s in statements((*program.model, *program.predict)) if isinstance(s, named)
    }
    data = {one.name for one in program.dims} | {one.name for one in program.data}
    derived = {one.name for one in program.derived}
    functions = {one.name for one in program.functions} | {one.name for one in program.externs}
    return {python_name(name) for name in inside | data | derived | functions}
