"""What there is to compare in a program: topic by topic, thing by thing, field by field."""

from __future__ import annotations

import json

from compiler.diff.parameters import guide_parameters, part_parameters, unconstrained
from compiler.diff.size import Size
from compiler.diff.spelling import Speller
from compiler.ir import (
    Assignment,
    Axis,
    CallablePart,
    DataVariable,
    FactorTerm,
    Guide,
    Part,
    PlateBlock,
    Program,
    Recorded,
    Site,
)
from compiler.ir.guides import OptionValue
from compiler.ir.program import statements

Value = str | int | bool
Facts = dict[str, dict[str, dict[str, Value]]]
"""Topic (`sites`), name of a thing in it (`mu`), field (`distribution`), value."""

TOTAL = "all parts"
"""The entry of a guide's topic that stands for the whole guide."""


def facts(program: Program) -> Facts:
    """Return everything about a program that a reviewer of a change would want to hear of.

    Places in the source, comments and layout are left out. Every field that does not apply to a
    thing is left out.
    """
    spell = Speller({function.name: function.spec_name for function in program.functions})
    found: Facts = {
        "dims": {
            dim.name: {"size": "from the data" if dim.size is None else dim.size}
            for dim in program.dims
        },
        "data": {data.name: _data(data) for data in program.data},
        "derived": {derived.name: {"value": spell(derived.value)} for derived in program.derived},
        "functions": {
            function.name: {
                "of": f"({', '.join(function.parameters)})",
                **{line.name: spell(line.value) for line in function.body},
                "value": spell(function.result),
            }
            for function in program.functions
        },
        "externs": {extern.name: {"from": extern.path} for extern in program.externs},
        "sites": {},
        "plates": {},
        "values": {},
        "records": {},
        "factors": {},
        "predict": {},
    }
    for statement in statements(program.model):
        match statement:
            case Site():
                found["sites"][statement.name] = _site(program, statement, spell)
            case PlateBlock() if statement.minibatch:
                found["plates"][statement.dim] = {"minibatch": statement.minibatch}
            case Assignment():
                found["values"][statement.name] = {"value": spell(statement.value)}
            case Recorded():
                found["records"][statement.name] = _recorded(statement, spell)
            case FactorTerm():
                found["factors"][statement.name] = {"value": spell(statement.value)}
            case _:
                pass
    for statement in statements(program.predict):
        match statement:
            case Site():
                found["predict"][statement.name] = _site(program, statement, spell)
            case Recorded():
                found["predict"][statement.name] = _recorded(statement, spell)
            case Assignment():
                found["predict"][statement.name] = {"value": spell(statement.value)}
            case _:
                pass
    for guide in program.guides:
        found[f"guide {guide.name}"] = _guide(program, guide, spell)
    found["fit"] = {name: {"value": _option(value)} for name, value in program.fit.items()}
    return found


def _data(data: DataVariable) -> dict[str, Value]:
    kind = f"index({data.index_of}, base = {data.base})" if data.index_of else data.element
    bounds = [
        f"{'>' if strict else '>='} {bound:g}" if lower else f"{'<' if strict else '<='} {bound:g}"
        for bound, strict, lower in (
            (data.lower, data.lower_strict, True),
            (data.upper, data.upper_strict, False),
        )
        if bound is not None
    ]
    words = [data.form or kind, ", ".join(bounds), "missing" if data.missing else ""]
    return {"type": " ".join(word for word in words if word), **_axes("dims", data.dims)}


def _site(program: Program, site: Site, spell: Speller) -> dict[str, Value]:
    flags = {
        "constraint": site.constraint,
        "drawn": "noncentered" if site.noncentered else None,
        "marginalized": site.marginalized or None,
        "missing": site.missing or None,
    }
    bounds = {
        f"{'truncated ' if site.truncated else ''}{side}": spell(bound)
        for side, bound in (("lower", site.lower), ("upper", site.upper))
        if bound is not None
    }
    role = "observed" if site.observed else "predicted" if site.predicted else "latent"
    described: dict[str, Value] = {
        "distribution": spell.distribution(site.distribution),
        "role": role,
        **_axes("plates", site.plates),
        **_axes("event dims", site.event),
        "support": _support(site),
        **bounds,
        **{name: flag for name, flag in flags.items() if flag is not None},
    }
    if site.latent and not site.marginalized:
        described["unconstrained values"] = _count(unconstrained(program, site))
    return described


def _support(site: Site) -> str:
    support = site.support
    bounds = [f">= {support.lower:g}"] if support.lower is not None else []
    bounds += [f"<= {support.upper:g}"] if support.upper is not None else []
    return " ".join([support.kind, *bounds, *(["with open bounds"] if support.open_bounds else [])])


def _recorded(record: Recorded, spell: Speller) -> dict[str, Value]:
    return {
        "value": spell(record.value),
        **_axes("plates", record.plates),
        **_axes("event dims", record.type.event),
    }


def _guide(program: Program, guide: Guide, spell: Speller) -> dict[str, dict[str, Value]]:
    parts = {part.name: _part(program, part, spell) for part in guide.parts}
    total: dict[str, Value] = {"parameters": _count(guide_parameters(program, guide))}
    if guide.auto:
        total["chosen by pplc"] = guide.reason or True
    return {**parts, TOTAL: total}


def _part(program: Program, part: Part | CallablePart, spell: Speller) -> dict[str, Value]:
    sites = ", ".join(part.sites)
    if isinstance(part, CallablePart):
        median: dict[str, Value] = {"median": part.median} if part.median else {}
        return {"family": f"callable {json.dumps(part.path)}", "sites": sites, **median}
    described: dict[str, Value] = {"family": part.family, "sites": sites}
    if part.init:
        options = ", ".join(f"{name} = {_option(v)}" for name, v in part.init.options.items())
        path = f" {json.dumps(part.init.path)}" if part.init.path else ""
        described["init"] = part.init.name + (f"({options})" if options else "") + path
    for value in part.values:
        described[f"init at {value.site}"] = spell(value.value)
    for own in part.by_site:
        described[f"{own.option} of {own.site}"] = _option(own.value)
    for name, option in part.options.items():
        described[name] = _option(option)
    described["parameters"] = _count(part_parameters(program, part))
    return described


def _axes(field: str, axes: tuple[Axis, ...]) -> dict[str, Value]:
    return {field: ", ".join(map(str, axes))} if axes else {}


def _count(size: Size | str | None) -> Value:
    if size is None:
        return "not known before running"
    if isinstance(size, str):
        return size
    return str(size) if size.number is None else size.number


def _option(value: OptionValue | dict[str, OptionValue]) -> Value:
    match value:
        case bool() | int() | str():
            return value
        case tuple():
            return f"[{', '.join(str(item) for item in value)}]"
        case dict():
            return ", ".join(f"{name} = {_option(item)}" for name, item in value.items())
        case _:
            return str(value)
