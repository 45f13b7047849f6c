"""A small shorthand for programs with nothing but a data block."""

from __future__ import annotations

from typing import Any

import pytest

from compiler.binding import BoundData, bind
from compiler.diagnostics import Diagnostics, SpecError
from compiler.ir import DataVariable, Dimension, Location, Program

NOWHERE = Location(start=0, end=0, line=1, column=1, end_line=1, end_column=1)


def program(dims: dict[str, int | None], **variables: dict[str, Any]) -> Program:
    """Return a program with these dims and data variables."""
    return Program(
        name="m",
        path="m.ppl",
        dims=tuple(Dimension(name=n, size=s, location=NOWHERE) for n, s in dims.items()),
        data=tuple(
            DataVariable(**{"name": n, "element": "real", "location": NOWHERE, "dims": (), **v})
            for n, v in variables.items()
        ),
        model=(),
    )


def bound(program: Program, sources: Any, **options: Any) -> BoundData:
    """Bind, with diagnostics of its own."""
    return bind(program, sources, diagnostics=Diagnostics("m.ppl", ""), **options)


def faults(program: Program, sources: Any, **options: Any) -> list[str]:
    """Bind what must not bind, and return `CODE message (remedy)` for each fault."""
    with pytest.raises(SpecError) as caught:
        bound(program, sources, **options)
    return [f"{d.code} {d.message} ({d.remedy})" for d in caught.value.diagnostics]
