"""The IR verifier: holds what every pass may rely on; run on IR files, and by tests on all IR.

An IR file is as untrusted as a spec, so this is also what keeps anything but checked identifiers
and known functions out of the emitted Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from compiler.diagnostics import Diagnostics
from compiler.ir import (
    Apply,
    Assignment,
    CallablePart,
    Constant,
    Expression,
    FactorTerm,
    Filled,
    IndexAt,
    Initially,
    Invoke,
    Items,
    Lag,
    Part,
    PlateBlock,
    Program,
    Range,
    Recorded,
    Reference,
    Site,
    Statement,
)
from compiler.ir.guides import OptionValue
from compiler.ir.program import statements
from compiler.ir.python_paths import is_python_path
from compiler.tables.distributions import DISTRIBUTIONS
from compiler.tables.families import FAMILIES
from compiler.tables.functions import FUNCTIONS, OPERATORS
from compiler.tables.inits import INITS
from compiler.tables.mixtures import row_of
from compiler.tables.options import Option
from compiler.tables.reserved import why_reserved

_AXIS = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\[-?\d*:-?\d*\])*(\+[A-Za-z0-9_\[\]:-]+)*", re.ASCII)
CENSORED = frozenset(("lower", "upper", "left", "right", "until"))
_FILE = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029\"\\]*")


def verify(program: Program, diagnostics: Diagnostics) -> None:
    """Report everything in which a program is not well formed, as PPL002."""
    for problem in problems(program):
        diagnostics.report(
            "PPL002", None, f"the IR is not well formed: {problem}", "regenerate it from the spec"
        )


def problems(program: Program) -> Iterator[str]:
    """Yield, in words, everything in which a program is not well formed."""
    yield from _names(program)
    yield from _plates(program)
    known = _known(program)
    functions = {function.name for function in program.functions}
    yield from _body(program.model, program, known, functions)
    yield from _body(program.predict, program, known, functions)
    for derived in program.derived:
        yield from _expression(derived.value, known, functions)
    for function in program.functions:
        local = {*function.parameters, *(statement.name for statement in function.body)}
        dims = {dim.name for dim in program.dims}
        for expr in (function.result, *(statement.value for statement in function.body)):
            yield from _expression(expr, local | dims, functions)
    yield from _guides(program, known, functions)


def _names(program: Program) -> Iterator[str]:
    if not _FILE.fullmatch(program.path):
        yield "the path holds a control character or a quote"
    names = [
        program.name,
        *(dim.name for dim in program.dims),
        *(data.name for data in program.data),
        *(derived.name for derived in program.derived),
        *(guide.name for guide in program.guides),
        *(part.name for guide in program.guides for part in guide.parts),
    ]
    for function in program.functions:
        names += [function.name, function.spec_name, *function.parameters]
        names += [statement.name for statement in function.body]
    for statement in (*statements(program.model), *statements(program.predict)):
        if isinstance(statement, PlateBlock):
            names.append(statement.dim)
        elif isinstance(statement, Site | Assignment | Recorded | FactorTerm):
            names.append(statement.name)
            if isinstance(statement, Site) and statement.base_name is not None:
                names.append(statement.base_name)
    for name in names:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII):
            yield f"{name!r} is not a name"
    dims = {dim.name for dim in program.dims}
    for data in program.data:
        for dim in (*data.dims, data.index_of):
            if isinstance(dim, str) and dim not in dims:
                yield f"the dim {dim!r} of {data.name!r} is not declared"
    for name in {*names[1:]} - {guide.name for guide in program.guides}:
        reason = why_reserved(name)
        if reason is not None and not any(
            name == part.name for guide in program.guides for part in guide.parts
        ):
            yield f"{name!r} is {reason}"


def _plates(program: Program) -> Iterator[str]:
    plates = {dim.name: dim.plate for dim in program.dims if dim.plate is not None}
    for name, number in plates.items():
        if not -len(plates) <= number < 0:
            yield f"the plate {name!r} has the number {number}"
    if program.max_plate_nesting != -min(plates.values(), default=0):
        yield f"max_plate_nesting is {program.max_plate_nesting}"


def _known(program: Program) -> set[str]:
    found = {dim.name for dim in program.dims} | {data.name for data in program.data}
    found |= {derived.name for derived in program.derived}
    for statement in (*statements(program.model), *statements(program.predict)):
        if isinstance(statement, Site | Assignment | Recorded):
            found.add(statement.name)
    return found


def _body(
    body: Iterable[Statement], program: Program, known: set[str], functions: set[str]
) -> Iterator[str]:
    plates = {dim.name for dim in program.dims if dim.plate is not None}
    for statement in statements(tuple(body)):
        match statement:
            case PlateBlock(dim=dim):
                if dim not in plates:
                    yield f"the plate {dim!r} has no number"
            case Site():
                yield from _site(statement, program, known, functions)
            case Assignment(value=value) | Recorded(value=value) | FactorTerm(value=value):
                yield from _expression(value, known, functions)


def _site(site: Site, program: Program, known: set[str], functions: set[str]) -> Iterator[str]:
    for drawn in (site.distribution, *([] if site.initial is None else [site.initial])):
        unknown = {drawn.name, *drawn.components} - DISTRIBUTIONS.keys()
        if unknown:
            yield f"{min(unknown)!r} is no distribution"
            return
        row = row_of(drawn)
        parameters = {parameter.name for parameter in row.parameters}
        for name, argument in drawn.arguments.items():
            if name not in parameters:
                yield f"{row.name} has no parameter {name!r}"
            yield from _expression(argument, known, functions)
    if (site.begin or site.initial is not None or site.stepped) and not site.plates:
        yield f"{site.name!r} has first steps, but no plate of steps"
    for part in (site.lower, site.upper, site.completed, *site.censoring.values()):
        if part is not None:
            yield from _expression(part, known, functions)
    yield from (f"{key!r} is not said of censored data" for key in {*site.censoring} - CENSORED)
    if site.observed and site.name not in {data.name for data in program.data}:
        yield f"{site.name!r} is observed but not in the data"
    if (site.noncentered or site.lowered) != (site.base_name is not None):
        yield f"{site.name!r} needs a base site exactly if it is drawn through one"
    yield from _axes((*site.plates, *site.event))


def _axes(axes: Iterable[object]) -> Iterator[str]:
    for axis in axes:
        if isinstance(axis, str) and not _AXIS.fullmatch(axis):
            yield f"{axis!r} is not an axis"


def _expression(expr: Expression, known: set[str], functions: set[str]) -> Iterator[str]:
    yield from _axes((*expr.type.batch, *expr.type.event))
    match expr:
        case Reference(name=name, plates=plates, event=event):
            if name not in known:
                yield f"{name!r} is read but not defined"
            yield from _axes((*plates, *event))
        case Apply(function=function, arguments=arguments, options=options):
            row = OPERATORS.get(function) or FUNCTIONS.get(function)
            if row is None:
                yield f"{function!r} is no function"
            elif not row.least <= len(arguments) <= (row.most or len(arguments)):
                yield f"{function!r} does not take {len(arguments)} arguments"
            for part in (*arguments, *options.values()):
                yield from _expression(part, known, functions)
        case Invoke(function=function, arguments=arguments):
            if function not in functions:
                yield f"{function!r} is no function of the spec"
            for part in arguments:
                yield from _expression(part, known, functions)
        case Items(items=items):
            for part in items:
                yield from _expression(part, known, functions)
        case Lag(base=base, dim=dim, default=default):
            yield from _axes((dim,))
            yield from _expression(base, known, functions)
            if default is not None:
                yield from _expression(default, known, functions)
        case Initially(dim=dim, initial=initial, then=then):
            yield from _axes((dim,))
            yield from _expression(initial, known, functions)
            yield from _expression(then, known, functions)
        case Filled(data=data, values=values):
            yield from _expression(data, known, functions)
            yield from _expression(values, known, functions)
        case IndexAt(base=base, indices=indices):
            if isinstance(base, Constant):
                yield "a number is indexed"
            yield from _expression(base, known, functions)
            for index in indices:
                if not isinstance(index, Range):
                    yield from _expression(index, known, functions)


def _guides(program: Program, known: set[str], functions: set[str]) -> Iterator[str]:
    latents = {site.name for site in program.latents()}
    for guide in program.guides:
        for part in guide.parts:
            yield from (f"{n!r} is no latent site" for n in part.sites if n not in latents)
            if isinstance(part, CallablePart):
                paths = [part.path, *([] if part.median is None else [part.median])]
                yield from (f"{path!r} is no path" for path in paths if not is_python_path(path))
                continue
            yield from _part(part)
            for value in part.values:
                yield from _expression(value.value, known, functions)


def _part(part: Part) -> Iterator[str]:
    """Yield what is wrong with a part against the tables of families and of init strategies."""
    family = FAMILIES.get(part.family)
    if family is None:
        yield f"{part.family!r} is no guide family"
    else:
        yield from _options(family.name, family.options, part.options)
        by_site = [option for option in family.options if option.by_site]
        for given in part.by_site:
            yield from _options(family.name, by_site, {given.option: given.value})
    if part.init is None:
        return
    strategy = INITS.get(part.init.name)
    if strategy is None:
        yield f"{part.init.name!r} is no init strategy"
        return
    yield from _options(strategy.name, strategy.options, part.init.options)
    path = part.init.path
    if strategy.takes_path != (path is not None) or (path and not is_python_path(path)):
        yield f"{path!r} is no path for {strategy.name!r}"


def _options(
    owner: str, rows: Iterable[Option], options: Mapping[str, OptionValue]
) -> Iterator[str]:
    known = {row.name: row for row in rows}
    for name, value in options.items():
        if name not in known or known[name].accept(value) is None:
            yield f"{owner!r} has no option {name!r} with the value {value!r}"
