"""The emitted module: what it is called with, and how its errors lead back to the spec."""

from __future__ import annotations

import linecache
import traceback

import pytest

from compiler.diagnostics import Diagnostics, SpecError
from compiler.ir import Program
from compiler.run.blame import told_in_the_spec
from compiler.run.module import load_module

SOURCE = """\
def derive(y):
    # schools.ppl:3
    top = max(y)
    return {"top": top}


def model(school, y=None, cell_minibatch=256):
    # schools.ppl:8
    mu = 1
    # schools.ppl:9  part scales
    return mu / school
"""
SPEC = "".join(f"line {i}   # comment\n" for i in range(1, 12))
PROGRAM = Program(name="m", path="schools.ppl", dims=(), data=(), model=())


@pytest.fixture
def module():
    return load_module(SOURCE, "folder/schools.ppl")


def test_functions_are_called_with_what_they_have_parameters_for(module):
    assert "derive" in module
    assert "predict" not in module
    assert module.call("derive", {"y": [1, 3], "other": 5}) == {"top": 3}
    assert module.arguments("model", {"school": 8, "y": 1}) == {"school": 8, "y": 1}
    with pytest.raises(KeyError):
        module.arguments("derive", {})
    with pytest.raises(KeyError):
        module.function("predict")


def test_tracebacks_show_the_text_and_lead_to_the_spec(module):
    assert linecache.getline("<pplc schools>", 1).startswith("def derive")
    with pytest.raises(ZeroDivisionError) as caught:
        module.call("model", {"school": 0})
    assert "return mu / school" in "".join(traceback.format_exception(caught.value))
    assert module.spec_line(caught.value) == 9
    assert module.spec_line(ValueError()) is None


def test_an_error_is_told_at_its_line(module):
    diagnostics = Diagnostics("schools.ppl", SPEC)
    with (
        pytest.raises(SpecError) as caught,
        told_in_the_spec(module, PROGRAM, diagnostics, "the fit"),
    ):
        module.call("model", {"school": 0})
    (told,) = caught.value.diagnostics
    assert told.code == "PPL099"
    assert told.message.startswith("the fit failed: ZeroDivisionError: division by zero")
    assert told.span is not None
    assert SPEC[told.span.start : told.span.end] == "line 9"
    assert (told.span.line, told.span.column) == (9, 1)


def test_mistakes_of_the_compiler_pass_through(module):
    with (
        pytest.raises(LookupError),
        told_in_the_spec(module, PROGRAM, Diagnostics("schools.ppl", SPEC), "the fit"),
    ):
        raise LookupError


def test_running_out_of_memory_is_told(module):
    with (
        pytest.raises(SpecError, match="ran out of memory"),
        told_in_the_spec(module, PROGRAM, Diagnostics("schools.ppl", SPEC), "the fit"),
    ):
        raise MemoryError
