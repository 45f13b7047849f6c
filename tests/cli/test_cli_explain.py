"""`pplc explain`, `pplc new` and the help."""

from pathlib import Path

import pytest
from cli_helpers import run

from compiler.cli.group import COMMANDS
from compiler.diagnostics import CODES


@pytest.mark.parametrize("word", ["PPL031", "ppl31", "31", "argument-support"])
def test_a_page_by_code_or_name(word: str) -> None:
    result = run("explain", word)
    assert result.exit_code == 0
    assert result.stdout.startswith("# PPL031 argument-support: ")
    assert "## Instead" in result.stdout


def test_the_list_has_every_code() -> None:
    lines = [line for line in run("explain").stdout.splitlines() if line]
    assert [line.split()[0] for line in lines] == list(CODES)
    assert all(CODES[line.split()[0]].slug == line.split()[1] for line in lines)


@pytest.mark.parametrize(
    ("word", "hint"),
    [("argument-suport", "did you mean argument-support?"), ("xyzzy", "`pplc explain` lists")],
)
def test_an_unknown_code(word: str, hint: str) -> None:
    result = run("explain", word)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_new_writes_a_spec_that_is_right_and_formatted(tmp_path: Path) -> None:
    spec = tmp_path / "My first-model.ppl"
    assert run("new", str(spec)).exit_code == 0
    assert "model my_first_model {" in spec.read_text()
    assert run("check", "--strict", str(spec)).exit_code == 0
    assert run("emit", "module", str(spec)).exit_code == 0


@pytest.mark.parametrize("stem", ["class", "1st", "数据", "_", "pyro"])
def test_new_makes_a_legal_name_of_any_file_name(tmp_path: Path, stem: str) -> None:
    spec = tmp_path / f"{stem}.ppl"
    assert run("new", str(spec)).exit_code == 0
    assert run("check", "--strict", str(spec)).exit_code == 0


def test_new_never_overwrites(tmp_path: Path) -> None:
    spec = tmp_path / "a.ppl"
    spec.write_text("mine")
    result = run("new", str(spec))
    assert result.exit_code == 1
    assert "error PPL098: the file exists already" in result.stderr
    assert spec.read_text() == "mine"


def test_help_lists_every_command_with_examples() -> None:
    text = run("--help").stdout
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert "Examples:" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"  pplc {command}" in result.stdout or "compile-and-fit" in result.stdout


def test_version() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("pplc ")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("chekc", "Did you mean `pplc check`?"),
        ("format", "Did you mean `pplc fmt`?"),
        ("model.ppl", "Did you mean `pplc check model.ppl`?"),
    ],
)
def test_an_unknown_command(word: str, hint: str) -> None:
    result = run(word)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_usage_errors() -> None:
    assert run().exit_code == 2
    assert run("check").exit_code == 2
    assert run("check", "--no-such-option", "a.ppl").exit_code == 2
    assert run("emit", "modle", "a.ppl").exit_code == 2
    assert run("diff", "-", "-").exit_code == 2
