"""Changed IR files, one after the other."""

from __future__ import annotations

import ast
import json
from functools import cache
from random import Random
from typing import Any

from compiler.diagnostics.render import render
from compiler.emit import emit_module
from compiler.pipeline import compile_source, compile_text
from fuzz.clock import Clock, TooSlow, cpu_limit
from fuzz.findings import Findings
from fuzz.ir.mutations import mutated
from fuzz.ir.payloads import MARK, NAMES_ALLOWED
from fuzz.specs.checks import is_python
from fuzz.specs.seeds import golden

_SLOW = 10.0
_IDENTIFIERS = ("id", "attr", "arg", "name", "asname", "module")


@cache
def originals() -> tuple[Any, ...]:
    """Return the IR of each golden spec, as JSON."""
    programs = (compile_text(spec, "golden.ppl").program for spec in golden())
    return tuple(json.loads(one.model_dump_json()) for one in programs if one is not None)


def run(random: Random, clock: Clock, findings: Findings) -> None:
    """Read changed IR files, and look at what is emitted from those that pass."""
    while clock.going():
        ir, put = mutated(random.choice(originals()), random)
        try:
            text = json.dumps(ir)
        except ValueError:  # a number of too many digits
            continue
        check(text, put, findings)


def check(text: str, put: list[str], findings: Findings) -> None:
    """Hold one IR file against what has to be true of it.

    Args:
        text: The file.
        put: The texts that were put into it.
        findings: Where to keep what is wrong.
    """
    findings.counts["inputs"] += 1
    try:
        with cpu_limit(_SLOW):
            _check(text, put, findings)
    except TooSlow:
        findings.add(f"more than {_SLOW:g} s of CPU", "", ir_json=text)
    except Exception as error:
        findings.crash("an IR file", error, ir_json=text)


def _check(text: str, put: list[str], findings: Findings) -> None:
    compilation = compile_source(text, "hostile.json")
    render(compilation.diagnostics)
    if compilation.program is None:
        findings.counts["refused"] += 1
        if not compilation.diagnostics.errors:
            findings.add("no program and no error", "", ir_json=text)
        return
    source = emit_module(compilation.program)
    findings.counts["emitted"] += 1
    if is_python(source, findings, ir_json=text) and not set(put) & set(NAMES_ALLOWED):
        for node in ast.walk(ast.parse(source)):
            words = [str(getattr(node, field, "")) for field in _IDENTIFIERS]
            if any(MARK in word for word in words):
                findings.add(f"code of the attacker's: {put}", source, ir_json=text)
