"""Tells errors of a running fit at the place in the spec that they come from."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch

from autoguide_core import FitError
from compiler.diagnostics import Diagnostics, SpecError
from compiler.ir import Program
from compiler.run.module import EmittedModule
from grammar.span import Span


@contextlib.contextmanager
def told_in_the_spec(
    module: EmittedModule, program: Program, diagnostics: Diagnostics, doing: str
) -> Iterator[None]:
    """Turn what the emitted code or the engine raises into a diagnostic.

    Errors that come from neither (mistakes in the compiler) pass through.

    Args:
        module: The emitted module.
        program: What it was emitted from.
        diagnostics: Where to report.
        doing: What is being done, to begin the message with (`the fit`).

    Raises:
        SpecError: In place of the error.
    """
    try:
        yield
    except SpecError:
        raise
    except FitError as error:
        code = "PPL097" if "cannot start" in str(error) else "PPL099"
        span = _site_span(program, error.site) or _line_span(diagnostics, module.spec_line(error))
        diagnostics.report(code, span, _sentence(error), _remedy(code))
        raise SpecError(diagnostics) from error
    except (torch.OutOfMemoryError, MemoryError) as error:
        diagnostics.report(
            "PPL099",
            None,
            f"{doing} ran out of memory",
            "use a minibatch (plate … minibatch 256), fewer particles or fewer draws",
        )
        raise SpecError(diagnostics) from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        if not any(frame.filename == module.filename for frame in frames):
            raise
        span = _line_span(diagnostics, module.spec_line(error))
        diagnostics.report(
            "PPL099",
            span,
            f"{doing} broke off: {type(error).__name__}: {_sentence(error)}"
            + _users_place(module, frames),
            "check this line with the data at hand; `pplc emit module` prints the code it became",
        )
        raise SpecError(diagnostics) from error


def _remedy(code: str) -> str:
    if code == "PPL097":
        return "check the data against this line, or give the site an init value"
    return "try a lower learning rate or another guide"


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split())[:400].rstrip(".")


def _users_place(module: EmittedModule, frames: traceback.StackSummary) -> str:
    """Name the line of a user's own file that the emitted code called, if there is one."""
    own = max(i for i, frame in enumerate(frames) if frame.filename == module.filename)
    folders = ("site-packages", "autoguide_core", "dist-packages")
    for frame in reversed(frames[own + 1 :]):
        path = Path(frame.filename)
        if path.is_file() and not any(folder in path.parts for folder in folders):
            return f" (in {path.name}, line {frame.lineno})"
    return ""


def _site_span(program: Program, name: str | None) -> Span | None:
    for site in program.sites():
        if name and (name in (site.name, site.base_name) or name.endswith(f".{site.name}")):
            return site.location.span
    return None


def _line_span(diagnostics: Diagnostics, line: int | None) -> Span | None:
    """Return the span of a whole line of the spec, without its indentation and comment."""
    lines = diagnostics.text.splitlines(keepends=True)
    if line is None or not 1 <= line <= len(lines):
        return None
    text = lines[line - 1].split("#")[0].rstrip()
    indent = len(text) - len(text.lstrip())
    start = sum(map(len, lines[: line - 1]))
    return Span(start + indent, start + len(text), line, indent + 1, line, len(text) + 1)
