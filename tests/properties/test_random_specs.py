"""Random right specs compile to what they mean; random wrong ones are told of, and never worse."""

import re
import subprocess
import sys
from pathlib import Path

import pyro
import pytest
import torch
from golden_cases import cases, shown, without_places
from golden_checks import check_meaning, check_vectorised
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from random_specs import specs

from compiler.emit import emit_module
from compiler.ir import Program
from compiler.pipeline import compile_text
from compiler.run.module import load_module
from compiler.verify import problems
from grammar.format import format_spec

CALM = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking would take minutes; the spec is shown as it is
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
GOOD = [case.spec for case in cases("good")]


def program_of(text: str) -> Program:
    note(text)
    compilation = compile_text(text, "random.ppl")
    assert compilation.program is not None, shown(list(compilation.diagnostics))
    return compilation.program


def test_compile(tmp_path: Path) -> None:
    """Format, parse, resolve, verify and emit; ruff would change nothing of what is emitted."""

    @settings(CALM, max_examples=100)
    @given(specs())
    def run(text: str) -> None:
        program = program_of(text)
        assert list(problems(program)) == []
        formatted = format_spec(text)
        assert format_spec(formatted) == formatted
        assert without_places(program_of(formatted)) == without_places(program)
        source = emit_module(program)
        assert emit_module(Program.model_validate_json(program.model_dump_json())) == source
        compile(source, "random.py", "exec")
        (tmp_path / f"spec_{len(list(tmp_path.iterdir()))}.py").write_text(source, encoding="utf-8")

    run()
    ruff = [sys.executable, "-m", "ruff"]
    check = ["check", "--isolated", "--select", "F,E,I,W,B", "--line-length", "100"]
    layout = ["format", "--isolated", "--diff", "--line-length", "100"]
    for command in (check, layout):
        done = subprocess.run([*ruff, *command, "."], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@settings(CALM, max_examples=40)
@given(specs())
def test_meaning(text: str) -> None:
    """The emitted model has the density that the spec means, for one draw and for many."""
    program = program_of(text)
    source = emit_module(program)
    note(source)
    module = load_module(source, "random.ppl")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        pyro.set_rng_seed(0)
        check_meaning(program, module)
        check_vectorised(program, module)
    finally:
        torch.set_default_dtype(before)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return a golden spec with some of its tokens taken away, doubled, swapped or exchanged."""
    tokens = re.findall(r"\w+|\s+|\S", draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 4))):
        here, there = (draw(st.integers(0, len(tokens) - 1)) for _ in range(2))
        match draw(st.sampled_from(["drop", "double", "swap", "copy"])):
            case "drop" if len(tokens) > 1:
                del tokens[here]
            case "double":
                tokens.insert(here, tokens[here])
            case "swap":
                tokens[here], tokens[there] = tokens[there], tokens[here]
            case _:
                tokens[here] = tokens[there]
    return "".join(tokens)


@settings(CALM, max_examples=400)
@given(mutated())
def test_mutated_specs_are_told_of(text: str) -> None:
    compilation = compile_text(text, "mutated.ppl")
    if compilation.program is None:
        assert compilation.diagnostics.errors
        return
    assert list(problems(compilation.program)) == []
    compile(emit_module(compilation.program), "mutated.py", "exec")


@pytest.mark.parametrize("text", ["", "\n", "#", "{", '"', "model", "data {", "\x00", "é", "𝛼 ~ N"])
def test_fragments_are_told_of(text: str) -> None:
    assert compile_text(text, "fragment.ppl").diagnostics.errors
