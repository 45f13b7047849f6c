"""What has to hold of any text given to the compiler."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator

from compiler.diagnostics import Diagnostics
from compiler.diagnostics.as_github import as_github
from compiler.diagnostics.as_json import as_json
from compiler.diagnostics.as_sarif import as_sarif
from compiler.diagnostics.render import render
from compiler.emit import emit_module
from compiler.ir import Program
from compiler.pipeline import compile_source, compile_text
from compiler.verify import problems
from fuzz.clock import TooSlow, cpu_limit
from fuzz.findings import Findings
from grammar.format import format_spec
from grammar.problems import SyntaxProblems

_SLOW = 8.0


def check(text: str, findings: Findings, *, deep: bool) -> str | None:
    """Hold a text against everything that has to be true of it.

    Args:
        text: The text, a spec or not.
        findings: Where to keep what is wrong.
        deep: Whether to look at the renderings, the IR and the formatting, too.

    Returns:
        The emitted module, or None where the text was refused or a fault was found.
    """
    findings.counts["inputs"] += 1
    try:
        with cpu_limit(_SLOW):
            return _checked(text, findings, deep)
    except TooSlow:
        findings.add(f"more than {_SLOW:g} s of CPU", "", spec_ppl=text)
    except Exception as error:
        findings.crash("the compiler", error, spec_ppl=text)
    return None


def _checked(text: str, findings: Findings, deep: bool) -> str | None:
    compilation = compile_text(text, "fuzz.ppl")
    diagnostics = compilation.diagnostics
    for problem in _misplaced(diagnostics, text):
        findings.add(f"a place outside the text: {problem}", problem, spec_ppl=text)
    if deep:
        render(diagnostics)
        as_github([diagnostics])
        json.loads(as_json([diagnostics]))
        json.loads(as_sarif([diagnostics], "0"))
    if compilation.program is None:
        findings.counts["refused"] += 1
        if not diagnostics.errors:
            findings.add("no program and no error", "", spec_ppl=text)
        return None
    source = emit_module(compilation.program)
    if is_python(source, findings, spec_ppl=text):
        findings.counts["emitted"] += 1
        if deep:
            _check_program(text, compilation.program, source, findings)
        return source
    return None


def is_python(source: str, findings: Findings, **files: str) -> bool:
    """Tell whether emitted code compiles without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            compile(source, "fuzz.py", "exec")
        except (SyntaxError, ValueError, SyntaxWarning) as error:
            findings.add(f"emitted code is no Python: {str(error)[:40]}", source, **files)
            return False
    return True


def _misplaced(diagnostics: Diagnostics, text: str) -> Iterator[str]:
    for one in diagnostics:
        for span in (one.span, *(span for _, span in one.notes)):
            if span is not None and not 0 <= span.start <= span.end <= len(text):
                yield one.code


def _check_program(text: str, program: Program, source: str, findings: Findings) -> None:
    for problem in problems(program):
        findings.add(f"IR that is not well formed: {problem[:40]}", problem, spec_ppl=text)
    again = compile_source(program.model_dump_json(), "fuzz.json").program
    if again is None or emit_module(again) != source:
        findings.add("IR is not read back as it was written", "", spec_ppl=text)
    try:
        formatted = format_spec(text)
    except SyntaxProblems:
        return
    if format_spec(formatted) != formatted:
        findings.add("the formatter changes what it has written", formatted, spec_ppl=text)
    other = compile_text(formatted, "fuzz.ppl").program
    if other is None or _without_lines(emit_module(other)) != _without_lines(source):
        findings.add("the formatted spec means something else", formatted, spec_ppl=text)


def _without_lines(source: str) -> str:
    """The source without the comments that tell lines: statements of one line share theirs."""
    return re.sub(r"^ *# fuzz\.ppl:\d+ *\n|fuzz\.ppl:\d+", "", source, flags=re.MULTILINE)
