"""Tells errors of a running fit at the place in the spec that they come from."""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from autoguide_core import FitError
from autoguide_core.engine.errors import NoStart, RequestError, StartError
from compiler.diagnostics import Diagnostics, SpecError
from compiler.ir import PlateBlock, Program, Site
from compiler.ir.program import statements
from compiler.memory import is_out_of_memory
from compiler.run.module import EmittedModule
from grammar.span import Span

_REMEDIES = {
    "PPL097": "check the data against this line, or give the site an init value",
    "PPL099": "try a lower learning rate or another guide",
}

_BEYOND = re.compile(r"index (?P<index>-?\d+) is out of bounds .* size (?P<size>\d+)")
"""How torch says that an index is not one of an axis."""

_REQUESTS = {
    "engine": "PPL081",
    "checkpoint": "PPL098",
    "processes": "PPL081",
    "sampler": "PPL089",
}
"""The code for what was asked for beside the fit itself and cannot be had."""


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
        with memory_errors(diagnostics, doing):
            yield
    except SpecError:
        raise
    except RequestError as error:
        diagnostics.report(_REQUESTS[error.what], None, error.message, error.remedy)
        raise SpecError(diagnostics) from error
    except FitError as error:
        cause = error.__cause__ or error
        frames = traceback.extract_tb(cause.__traceback__)
        span = _line_span(diagnostics, module.spec_line(cause)) or _site_span(program, error.site)
        if place := _users_place(frames):
            message = f"{doing} failed: {type(cause).__name__}: {_sentence(cause)}{place}"
            diagnostics.report("PPL099", span, message, "correct the function")
        elif isinstance(error, NoStart):
            diagnostics.report("PPL097", span, *_no_start(error, program))
        else:
            code = "PPL097" if isinstance(error, StartError) else "PPL099"
            diagnostics.report(code, span, _sentence(error), _REMEDIES[code])
        raise SpecError(diagnostics) from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        if not any(frame.filename == module.filename for frame in frames):
            raise
        span = _line_span(diagnostics, module.spec_line(error))
        what, remedy = _what_happened(error)
        message = f"{doing} failed: {what}{_users_place(frames)}"
        diagnostics.report("PPL099", span, message, remedy)
        raise SpecError(diagnostics) from error


@contextlib.contextmanager
def memory_errors(diagnostics: Diagnostics, doing: str) -> Iterator[None]:
    """Turn an error of memory, whoever raises it, into a diagnostic.

    Args:
        diagnostics: Where to report.
        doing: What is being done, to begin the message with.

    Raises:
        SpecError: In place of the error.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, SpecError) or not is_out_of_memory(error):
            raise
        diagnostics.report(
            "PPL099",
            None,
            f"{doing} ran out of memory",
            "use a minibatch (plate … minibatch 256), fewer particles or fewer draws",
        )
        raise SpecError(diagnostics) from error


def _no_start(error: NoStart, program: Program) -> tuple[str, str]:
    """What to say of starts that were all refused, and what to do."""
    if error.everywhere:
        return f"the fit cannot start: {error.most.whole}", "check the data against this line"
    where = "each" if error.count == error.tries else f"{error.count}"
    message = (
        f"no starting point was found in {error.tries} tries; in {where} of them: "
        f"{error.most.whole}"
    )
    example = "`init median at { NAME = NUMBER }`"
    if error.kept:
        names = ", ".join(_name_in_the_spec(program, name) for name in error.kept)
        return message, f"the init values of {names} were kept: correct them"
    if not error.latents:
        return message, f"give latents init values at which this line can be computed: {example}"
    names = ", ".join(_name_in_the_spec(program, name) for name in error.latents)
    return (
        f"{message}; latents without bounds: {names}",
        f"give one of them bounds (`truncated(…)`, or another distribution), or an init value at "
        f"which this line can be computed: {example}",
    )


def _name_in_the_spec(program: Program, site: str) -> str:
    """The name of what a site stands for, which is another where it was moved or scaled."""
    for statement in statements(program.model):
        if isinstance(statement, Site) and site == statement.base_name:
            return statement.name
    return site


def _sentence(error: BaseException) -> str:
    message = str(error).split("Trace Shapes:")[0]  # what Pyro adds to any error in a model
    return " ".join(message.split())[:400].rstrip(".")


def _what_happened(error: BaseException) -> tuple[str, str]:
    """Say what an error of the emitted code is, and what to do about it."""
    beyond = _BEYOND.search(str(error)) if isinstance(error, IndexError) else None
    if beyond is None:
        return (
            f"{type(error).__name__}: {_sentence(error)}",
            "check this line with the data at hand; `pplc emit module` prints the code it became",
        )
    index, size = int(beyond["index"]), int(beyond["size"])
    return (
        f"an index is {index} where there are {size} entries",
        f"correct the index: it runs from 0 to {size - 1}, also where its data count from 1",
    )


def _users_place(frames: traceback.StackSummary) -> str:
    """Name the innermost line of a user's own file in a traceback, if there is one.

    Where an error passes from the user's code into a library, that line is still theirs.
    """
    own = ("site-packages", "dist-packages", "autoguide_core", "compiler")
    library = Path(contextlib.__file__).parent
    for frame in reversed(frames):
        path = Path(frame.filename)
        if path.is_file() and library not in path.parents and not set(own) & set(path.parts):
            return f" (in {path.name}, line {frame.lineno})"
    return ""


def _site_span(program: Program, name: str | None) -> Span | None:
    """Return the place of the statement that defines a site, or a parameter of its guide."""
    for statement in statements(program.model):
        if not name or isinstance(statement, PlateBlock):
            continue
        names = [statement.name]
        if isinstance(statement, Site) and statement.base_name:
            names.append(statement.base_name)
        if name in names or name.endswith(tuple(f".{one}" for one in names)):
            return statement.location.span
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
