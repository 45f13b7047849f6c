"""Right specs: what they become, and that it is well formed, clean and right."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from golden_cases import Case, cases, shown, without_places

from compiler.emit import emit_module
from compiler.emit.python_names import guide_imports
from compiler.ir import Program
from compiler.pipeline import compile_text
from compiler.tables.reserved import is_taken, python_name
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


def test_no_name_of_a_spec_hides_what_a_module_defines() -> None:
    for case in CASES:
        program = program_of(case)
        own = {python_name(function.name) for function in program.functions}
        own |= {imported.bound for imported in guide_imports(program).values()}
        for node in ast.parse(emit_module(program)).body:
            if isinstance(node, ast.FunctionDef):
                assert node.name in own or is_taken(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    assert name in own or is_taken(name)


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
