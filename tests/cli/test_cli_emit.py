"""`pplc emit` and `pplc schema`."""

import ast
import json
from pathlib import Path

import pytest
from cli_helpers import BAD, GOOD, WARNED, run, write

TWO_GUIDES = (
    GOOD
    + """\
guide quick {
  part point = AutoDelta(*)
}
"""
)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    return write(tmp_path / "a.ppl", TWO_GUIDES)


def test_ast_shows_nodes_and_places(spec: str) -> None:
    lines = run("emit", "ast", spec).stdout.splitlines()
    assert lines[0].startswith("Spec ")
    assert "  blocks[0]: DataBlock 1:1-5:2" in lines
    assert any("Sample" in line for line in lines)
    assert any("name: Name" in line and "text='slope'" in line for line in lines)


def test_ast_needs_syntax_only(tmp_path: Path) -> None:
    assert run("emit", "ast", write(tmp_path / "a.ppl", BAD)).exit_code == 0
    wrong = run("emit", "ast", write(tmp_path / "b.ppl", "model {"))
    assert wrong.exit_code == 1
    assert "error PPL001" in wrong.stderr


def test_ir_goes_round(spec: str, tmp_path: Path) -> None:
    ir = tmp_path / "a.json"
    assert run("emit", "ir", spec, "-o", str(ir)).output == ""
    assert json.loads(ir.read_text())["name"] == "line"
    assert run("check", str(ir)).exit_code == 0
    assert run("emit", "ir", str(ir)).stdout == ir.read_text()
    assert run("emit", "ir", "-", stdin=ir.read_text()).stdout == ir.read_text()
    assert run("diff", spec, str(ir)).stdout == "no difference\n"
    assert run("emit", "module", str(ir)).stdout == run("emit", "module", spec).stdout


@pytest.mark.parametrize("stage", ["model", "guide", "module"])
def test_python_stages_are_python(spec: str, stage: str) -> None:
    result = run("emit", stage, spec)
    assert (result.exit_code, result.stderr) == (0, "")
    ast.parse(result.stdout)
    assert result.stdout.endswith("\n")
    assert not result.stdout.endswith("\n\n")
    assert run("emit", stage, spec).stdout == result.stdout


def test_guides_of_pyro_or_of_the_core(spec: str) -> None:
    assert "autoguide_core" in run("emit", "module", spec).stdout
    pyros = run("emit", "module", spec, "--guides", "pyro").stdout
    assert "autoguide_core" not in pyros
    assert "pyro.infer.autoguide" in pyros


def test_what_pyro_does_not_have_is_told(tmp_path: Path, spec: str) -> None:
    text = Path(spec).read_text(encoding="utf-8")
    own = write(tmp_path / "own.ppl", f"{text}\nguide own {{ part a = AutoBNAFNormal(*) }}\n")
    assert "AutoBNAFNormal" in run("emit", "guide", own, "--guide", "own").stdout
    assert run("emit", "guide", own, "--guides", "pyro").exit_code == 0
    for options in (["guide", own, "--guide", "own"], ["module", own]):
        refused = run("emit", *options, "--guides", "pyro")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "error PPL084" in refused.stderr


def test_guide_by_name(spec: str) -> None:
    assert "AutoNormal" in run("emit", "guide", spec).stdout
    quick = run("emit", "guide", spec, "--guide", "quick").stdout
    assert "AutoDelta" in quick
    assert "AutoNormal" not in quick


def test_a_guide_that_is_not_there(spec: str) -> None:
    result = run("emit", "guide", spec, "--guide", "quik")
    assert result.exit_code == 2
    assert "no guide 'quik'" in result.stderr
    assert "quick" in result.stderr


@pytest.mark.parametrize("stage", ["ast", "ir", "model"])
def test_guide_options_need_a_stage_with_a_guide(spec: str, stage: str) -> None:
    assert run("emit", stage, spec, "--guide", "quick").exit_code == 2
    assert run("emit", stage, spec, "--guides", "pyro").exit_code == 2


def test_errors_and_warnings_go_to_stderr(tmp_path: Path) -> None:
    bad = run("emit", "module", write(tmp_path / "bad.ppl", BAD))
    assert (bad.exit_code, bad.stdout) == (1, "")
    assert "error PPL010" in bad.stderr
    warned = write(tmp_path / "warned.ppl", WARNED)
    result = run("emit", "module", warned)
    assert result.exit_code == 0
    assert "warning PPL013" in result.stderr
    ast.parse(result.stdout)
    assert run("emit", "module", warned, "--silence", "PPL013").stderr == ""


def test_a_failed_emission_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "model.py"
    target.write_text("old")
    result = run("emit", "module", write(tmp_path / "a.ppl", BAD), "-o", str(target))
    assert result.exit_code == 1
    assert target.read_text() == "old"


def test_an_output_that_cannot_be_written(spec: str, tmp_path: Path) -> None:
    result = run("emit", "ir", spec, "-o", str(tmp_path / "no" / "such" / "a.json"))
    assert result.exit_code == 1
    assert "error PPL098" in result.stderr
    folder = run("emit", "ir", spec, "-o", str(tmp_path))
    assert folder.exit_code == 1
    assert "error PPL098" in folder.stderr


def test_schema_names_what_ir_files_hold(spec: str) -> None:
    schema = json.loads(run("schema").stdout)
    ir = json.loads(run("emit", "ir", spec).stdout)
    assert set(ir) == set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) <= set(ir)
    assert "Site" in schema["$defs"]
