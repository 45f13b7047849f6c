"""Finds the Python functions that a program calls, and imports them only with leave."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from compiler.diagnostics import Diagnostics
from compiler.ir import Guide, Location, Part, Program


@contextlib.contextmanager
def importable_beside(spec: str) -> Iterator[None]:
    """Let modules in the spec's own folder be imported while inside."""
    folder = str(Path(spec).resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def check_callables(
    program: Program, guide: Guide, allowed: bool, diagnostics: Diagnostics
) -> None:
    """Report callables that may not be imported, or that cannot be.

    Args:
        program: The program.
        guide: The guide that is used; callables of the others do not matter.
        allowed: Whether the user lets the spec import Python code.
        diagnostics: Where to report.
    """
    for path, location in _paths(program, guide):
        if not allowed:
            diagnostics.report(
                "PPL083",
                location.span,
                f"the spec calls Python code: {path!r}",
                "if you trust it, allow it: --allow-callables, in Python allow_callables=True",
            )
        elif fault := _import_fault(path):
            diagnostics.report(
                "PPL082",
                location.span,
                f"{path!r} cannot be imported: {fault}",
                "put the module beside the spec, or install it",
            )


def _paths(program: Program, guide: Guide) -> Iterator[tuple[str, Location]]:
    for extern in program.externs:
        yield extern.path, extern.location
    for part in guide.parts:
        if isinstance(part, Part):
            if part.init and part.init.path:
                yield part.init.path, part.init.location
        else:
            yield part.path, part.location
            if part.median:
                yield part.median, part.location


def _import_fault(path: str) -> str | None:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except AttributeError:
        return f"the module {module!r} has no {attribute!r}"
    except Exception as error:  # the user's module may raise anything
        return f"{type(error).__name__}: {error}"
    return None if callable(found) else "it is not a function"
