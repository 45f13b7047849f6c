"""Puts an emitted module together: imports, functions of the spec, model, guides, predict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from compiler.emit.create_plates import emit_create_plates
from compiler.emit.documentation import (
    data_lines,
    module_docstring,
    prediction_docstring,
)
from compiler.emit.expressions import named, tensor
from compiler.emit.formatting import format_python
from compiler.emit.guide import GuideLibrary, emit_guide_function
from compiler.emit.imports import Import, import_lines
from compiler.emit.layout import CONCATENATE, TO_PLATE
from compiler.emit.names import (
    called_in_steps,
    inputs,
    read_by,
    read_names,
    without_unread,
)
from compiler.emit.place import Needs, Place
from compiler.emit.python import dict_of, names_used
from compiler.emit.statements import INDENT, body_lines, where
from compiler.emit.unread import without_unread_names
from compiler.ir import Function, Guide, Program, Site
from compiler.ir.program import statements
from compiler.ir.queries import minibatches
from compiler.tables.reserved import python_name


def emit_module(
    program: Program, *, guides: GuideLibrary = "core", guide: str | None = None
) -> str:
    """Return the source of the whole module.

    Args:
        program: A checked program.
        guides: Whose guides to compose: our `autoguide_core`, or `pyro.infer.autoguide`.
        guide: The only guide to emit; None for all of them.
    """
    chosen = _chosen(program, guide)
    return _assemble(
        program,
        [_functions, _derive, _model, *_guides(chosen, guides), _predict],
        module_docstring(program),
    )


def emit_model(program: Program, *, guides: GuideLibrary = "core", guide: str | None = None) -> str:
    """Return the source of the model and of what it calls."""
    return _assemble(program, [_functions, _derive, _model], module_docstring(program))


def emit_guide(program: Program, *, guides: GuideLibrary = "core", guide: str | None = None) -> str:
    """Return the source of one guide, the first one unless `guide` names another."""
    chosen = _chosen(program, guide)[:1]
    return _assemble(program, _guides(chosen, guides), None)


def _chosen(program: Program, guide: str | None) -> tuple[Guide, ...]:
    if guide is None:
        return program.guides
    return tuple(g for g in program.guides if g.name == guide)


Section = Callable[[Program, Needs], list[str]]


def _assemble(program: Program, sections: list[Section], docstring: str | None) -> str:
    needs = Needs()
    bodies = [lines for section in sections if (lines := section(program, needs))]
    code = without_unread_names("\n\n\n".join("\n".join(lines) for lines in bodies))
    used = names_used(code)
    helpers = [source.strip() for name, source in _HELPERS.items() if name in used]
    code = "\n\n\n".join([*helpers, code])
    needs.imports |= {one for name, one in _IMPORTS.items() if name in names_used(code)}
    imports = "\n".join(import_lines(needs.imports))
    text = "\n\n".join(part for part in (docstring, imports, code) if part)
    return format_python(text)


_HELPERS = {"concatenate": CONCATENATE, "to_plate": TO_PLATE}
"""What the text itself shows that the module defines."""

_IMPORTS = {
    "torch": Import("torch"),
    "pyro": Import("pyro"),
    "dist": Import("pyro.distributions", alias="dist"),
    "poutine": Import("pyro", "poutine"),
    "covariances": Import("autoguide_core.functions", "covariances"),
    "sequences": Import("autoguide_core", "sequences"),
    "special": Import("autoguide_core.functions", "special"),
    "curves": Import("autoguide_core.functions", "curves"),
    "odes": Import("autoguide_core.functions", "odes"),
}
"""What the text itself shows that the module imports."""


# --- sections -----------------------------------------------------------------------------------


def _functions(program: Program, needs: Needs) -> list[str]:
    outside, in_steps = Place.outside(program, needs), called_in_steps(program)
    lines: list[str] = []
    for function in program.functions:
        place = replace(outside.in_function(function), uneven=function.name in in_steps)
        lines += [*([""] * 2 if lines else []), *_function(function, program, place)]
    return lines


def _function(function: Function, program: Program, place: Place) -> list[str]:
    parameters = [*map(python_name, function.parameters), *place.size_names.values()]
    lines = [
        f"def {python_name(function.name)}({', '.join(parameters)}):",
        INDENT + where(program, function.location),
    ]
    read = read_by(function)
    for statement in function.body:
        if statement.name not in read:
            continue
        lines.append(f"{INDENT}{python_name(statement.name)} = {named(statement.value, place)}")
    return [*lines, f"{INDENT}return {tensor(function.result, place)}"]


def _derive(program: Program, needs: Needs) -> list[str]:
    if not program.derived:
        return []
    place = Place.outside(program, needs)
    names = {derived.name for derived in program.derived}
    read = read_names(derived.value for derived in program.derived) - names
    lines = [
        f"def derive({', '.join(map(python_name, inputs(program, read)))}):",
        f'{INDENT}"""Compute, once and from data alone, what the model and the guide use."""',
    ]
    for derived in program.derived:
        lines.append(INDENT + where(program, derived.location))
        lines.append(f"{INDENT}{python_name(derived.name)} = {tensor(derived.value, place)}")
    return [*lines, f"{INDENT}return {_by_name(derived.name for derived in program.derived)}"]


def _by_name(names: Iterable[str]) -> str:
    """Return a dict from names of the spec to the variables that hold their values."""
    return dict_of((name, python_name(name)) for name in names)


def _model(program: Program, needs: Needs) -> list[str]:
    own = Needs(imports=needs.imports)
    block = without_unread(program.model)
    body = body_lines(block, program, Place.outside(program, own))
    observed = {site.name for site in program.sites() if site.observed}
    names = inputs(program, own.names | observed)
    names.sort(key=observed.__contains__)  # what may be left out comes last
    signature = [python_name(name) + "=None" * (name in observed) for name in names]
    signature += [f"{dim}_minibatch={size}" for dim, size in minibatches(program).items()]
    return [
        f"def model({', '.join(signature)}):",
        *(INDENT + line if line else "" for line in data_lines(program, names)),
        *(INDENT + line if line else "" for line in body),
    ]


def _guides(chosen: tuple[Guide, ...], library: GuideLibrary) -> list[Section]:
    return [_create_plates, *(_guide(guide, library) for guide in chosen)]


def _create_plates(program: Program, needs: Needs) -> list[str]:
    return emit_create_plates(program)


def _guide(guide: Guide, library: GuideLibrary) -> Section:
    def section(program: Program, needs: Needs) -> list[str]:
        code = emit_guide_function(program, guide, guides=library)
        needs.imports |= code.imports | code.needs.imports
        return list(code.lines)

    return section


def _predict(program: Program, needs: Needs) -> list[str]:
    if not program.predict:
        return []
    own = Needs(imports=needs.imports)
    block = without_unread(program.predict)
    place = Place.outside(program, own)
    predicted = [s.name for s in statements(program.predict) if isinstance(s, Site)]
    body = body_lines(block, program, place)
    kept = [*(s.name for s in program.latents()), *(r.name for r in program.records())]
    names = [*inputs(program, own.names), *(name for name in kept if name in own.names)]
    return [
        f"def predict({', '.join(map(python_name, names))}):",
        INDENT + prediction_docstring(),
        *(INDENT + line if line else "" for line in body),
        f"{INDENT}return {_by_name(predicted)}",
    ]
