"""What `pplc emit ir` writes is read back, whatever its depth; what is no program is refused."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.emit import emit_module
from compiler.ir.text import from_json, to_json
from compiler.pipeline import compile_source, compile_text
from grammar.depth import MAX_OPERATIONS

SPEC = """\
data {{
  dim obs
  x[obs] : real
  y[obs] : real
}}
model m {{
  a ~ Normal(0, 1)
  plate obs {{ y ~ Normal({}, 1) }}
}}
"""
DEEPEST = MAX_OPERATIONS - 3
SHAPES = {
    "sum": "a" + " + x" * DEEPEST,
    "powers": "a ** " * DEEPEST + "a",
    "signs": "-" * DEEPEST + "a",
    "choices": "if x > 0 then a else " * (DEEPEST - 2) + "a",
    "calls": "exp(-" * 90 + "a" + ")" * 90,
    "comparisons": "a" + " + (x > a)" * (DEEPEST - 3),
}


def holds(expression: str) -> None:
    """The program is read back as it was, by the file that `emit ir` writes, and emits the same."""
    compiled = compile_text(SPEC.format(expression), "m.ppl")
    assert compiled.program is not None, list(compiled.diagnostics)
    again = compile_source(to_json(compiled.program), "m.json")
    assert again.program == compiled.program, list(again.diagnostics)
    assert emit_module(again.program) == emit_module(compiled.program)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_deepest_expressions_are_read_back(shape: str) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # as in a process of its own
    try:
        holds(SHAPES[shape])
    finally:
        sys.setrecursionlimit(max(before, sys.getrecursionlimit()))


STEPS = st.sampled_from(
    ["exp({})", "-({})", "{} + x", "x * ({})", "(if x > 0 then {} else a)", "({}) ** 2", "1 / ({})"]
)


@settings(max_examples=15, deadline=None)
@given(st.lists(STEPS, min_size=60, max_size=95))
def test_expressions_of_any_deep_form_are_read_back(steps: list[str]) -> None:
    expression = "a"
    for step in steps:
        expression = step.format(expression)
    holds(expression)


def test_infinite_bounds_and_odd_letters_are_kept() -> None:
    compiled = compile_text(SPEC.format("a"), "m.ppl")
    assert compiled.program is not None
    support = {"kind": "real", "lower": float("-inf"), "upper": None, "open_bounds": False}
    found: Any = json.loads(to_json(compiled.program))
    found["data"][0]["lower"] = support["lower"]
    found["name"] = "é"
    text = json.dumps(found)
    assert to_json(from_json(text)) == json.dumps(found, indent=2, ensure_ascii=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":' + "[" * 100_000, "nests too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "4300 digits"),
        ('{"version": 1' + "0" * 400 + "}", "version"),
        ('{"version": 2}', "version: input should be 1"),
        ("{}", "name: field required"),
        ('{"name": ', "Expecting value: line 1"),
    ],
)
def test_what_is_no_program_is_refused(text: str, words: str) -> None:
    (fault,) = compile_source(text, "m.json").diagnostics.errors
    assert fault.code == "PPL002"
    assert words in fault.message


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("data", 0, "dims", 0), "\0"),
        (("data", 0, "index_of"), "x\\"),
        (("model", 1, "body", 0, "distribution", "arguments", "loc", "type", "event"), ["sum"]),
    ],
)
def test_ir_that_contradicts_itself_is_refused(place: tuple[str | int, ...], value: Any) -> None:
    compiled = compile_text(SPEC.format("a + x"), "m.ppl")
    assert compiled.program is not None
    found: Any = json.loads(to_json(compiled.program))
    part = found
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    assert [d.code for d in compile_source(json.dumps(found), "m.json").diagnostics.errors] == [
        "PPL002"
    ]
