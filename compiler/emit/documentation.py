"""Docstrings of emitted code: what the module is, and what the model's arguments are."""

from __future__ import annotations

from compiler.ir import DataVariable, Program
from compiler.tables.reserved import python_name
from compiler.version import VERSION


def module_docstring(program: Program) -> str:
    """Return the docstring of the module."""
    return f'"""Model `{program.name}`, emitted by pplc {VERSION} from {program.path}."""'


def data_lines(program: Program, names: list[str]) -> list[str]:
    """Return the model's docstring, with a line for each of its arguments."""
    described = _descriptions(program)
    lines = [f"{python_name(name)}: {described[name]}" for name in names]
    if not lines:
        return [f'"""The model `{program.name}`."""']
    return [
        f'"""The model `{program.name}`.',
        "",
        "Args:",
        *(f"    {line}" for line in lines),
        '"""',
    ]


def _descriptions(program: Program) -> dict[str, str]:
    observed = {site.name for site in program.sites() if site.observed}
    found = {dim.name: f"Size of the dim `{dim.name}`." for dim in program.dims}
    for data in program.data:
        found[data.name] = _variable(data) + ("; observed." if data.name in observed else ".")
    for derived in program.derived:
        shape = ", ".join(map(str, derived.value.type.event))
        found[derived.name] = f"Tensor [{shape}], from `derive`."
    return found


def _variable(data: DataVariable) -> str:
    shape = ", ".join(map(str, data.dims))
    if data.element == "index":
        return f"Long tensor [{shape}], indices into `{data.index_of}` from 0" + (
            ", -1 where missing" if data.missing else ""
        )
    words = data.form or data.element
    strict = data.lower_strict or data.upper_strict
    gaps = ", NaN where missing" if data.missing else ""
    if data.lower is not None and data.upper is not None and not strict:
        return f"Float tensor [{shape}], {words} in {data.lower:g} .. {data.upper:g}{gaps}"
    if data.lower is not None:
        words += f" {'>' if data.lower_strict else '>='} {data.lower:g}"
    if data.upper is not None:
        words += f" {'<' if data.upper_strict else '<='} {data.upper:g}"
    return f"Float tensor [{shape}], {words}{gaps}"


def prediction_docstring() -> str:
    """Return the docstring of `predict`."""
    return '"""Draw what `predict` asks for, given one or more posterior draws."""'
