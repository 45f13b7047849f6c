"""Right specs: what they become, and that it is well formed, clean and right."""

import subprocess
import sys
from pathlib import Path

import pytest
from golden_cases import Case, cases, shown, without_places

from compiler.emit import emit_module
from compiler.ir import Program
from compiler.pipeline import compile_text
from compiler.verify import problems
from grammar.format import format_spec

CASES = cases("good")
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def program_of(case: Case) -> Program:
    compilation = case.compiled()
    assert compilation.program is not None, shown(list(compilation.diagnostics))
    return compilation.program


@every_case
def test_emitted(case: Case, request: pytest.FixtureRequest) -> None:
    compilation = case.compiled()
    program = program_of(case)
    warnings = shown(list(compilation.diagnostics))
    blocks = {"text": warnings} if warnings else {}
    blocks["python"] = emit_module(program)
    case.check(blocks, request.config.getoption("--update-golden"))


@every_case
def test_ir(case: Case) -> None:
    program = program_of(case)
    assert list(problems(program)) == []
    again = Program.model_validate_json(program.model_dump_json())
    assert again == program
    assert emit_module(again) == emit_module(program)


@every_case
def test_format(case: Case) -> None:
    formatted = format_spec(case.spec)
    assert format_spec(formatted) == formatted
    again = compile_text(formatted, case.path).program
    assert again is not None
    assert without_places(again) == without_places(program_of(case))


def test_emitted_source_is_clean(tmp_path: Path) -> None:
    for case in CASES:
        for library in ("core", "pyro"):
            source = emit_module(program_of(case), guides=library)
            (tmp_path / f"{case.name}_{library}.py").write_text(source, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    check = ["check", "--isolated", "--select", "F,E,I,W,B", "--line-length", "100"]
    layout = ["format", "--isolated", "--diff", "--line-length", "100"]
    for command in (check, layout):
        run = subprocess.run([*ruff, *command, "."], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
