"""`pplc check`."""

import json
from pathlib import Path

import pytest
from cli_helpers import BAD, GOOD, WARNED, run, write


def test_a_good_spec(tmp_path: Path) -> None:
    spec = write(tmp_path / "a.ppl", GOOD)
    result = run("check", spec)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{spec}: no errors\n", "")


def test_a_bad_spec_tells_place_and_remedy_on_stderr(tmp_path: Path) -> None:
    spec = write(tmp_path / "a.ppl", BAD)
    result = run("check", spec)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"{spec}:10:16: error PPL010: ")
    assert "10 |     y ~ Normal(slop * x, sigma)\n" in result.stderr
    assert "   |                ^^^^\n" in result.stderr
    assert "slope" in result.stderr
    assert "\x1b" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("1 error")


def test_several_specs_are_all_checked(tmp_path: Path) -> None:
    specs = [write(tmp_path / f"{name}.ppl", BAD) for name in "abc"]
    result = run("check", *specs, write(tmp_path / "d.ppl", GOOD))
    assert result.exit_code == 1
    assert result.stderr.count("error PPL010") == 3
    assert result.stderr.splitlines()[-1].startswith("3 errors")


def test_many_good_specs_are_counted(tmp_path: Path) -> None:
    specs = [write(tmp_path / f"{name}.ppl", GOOD) for name in "abcd"]
    assert run("check", *specs).stdout == "4 specs: no errors\n"


def test_warnings_do_not_fail_unless_strict(tmp_path: Path) -> None:
    spec = write(tmp_path / "a.ppl", WARNED)
    result = run("check", spec)
    assert result.exit_code == 0
    assert "warning PPL013" in result.stderr
    assert result.stderr.splitlines()[-1] == "1 warning"
    strict = run("check", spec, "--strict")
    assert strict.exit_code == 1
    assert strict.stderr.splitlines()[-1].startswith("1 warning (with --strict")


@pytest.mark.parametrize("word", ["PPL013", "ppl13", "13", "unused-data", "PPL014,unused-data"])
def test_a_warning_is_silenced_by_code_or_name(tmp_path: Path, word: str) -> None:
    spec = write(tmp_path / "a.ppl", WARNED)
    result = run("check", spec, "--strict", "--silence", word)
    assert (result.exit_code, result.stderr) == (0, "")


def test_errors_cannot_be_silenced(tmp_path: Path) -> None:
    result = run("check", write(tmp_path / "a.ppl", BAD), "--silence", "PPL010")
    assert result.exit_code == 2
    assert "only warnings can be silenced" in result.stderr


def test_silencing_a_misspelt_code_suggests_one(tmp_path: Path) -> None:
    result = run("check", write(tmp_path / "a.ppl", BAD), "--silence", "unused-dat")
    assert result.exit_code == 2
    assert "did you mean unused-data?" in result.stderr


def test_standard_input() -> None:
    result = run("check", "-", stdin=BAD)
    assert result.exit_code == 1
    assert result.stderr.startswith("<stdin>:10:16: error PPL010")


def test_json_goes_to_stdout(tmp_path: Path) -> None:
    specs = [write(tmp_path / "a.ppl", BAD), write(tmp_path / "b.ppl", GOOD)]
    result = run("check", *specs, "--format", "json")
    assert (result.exit_code, result.stderr) == (1, "")
    document = json.loads(result.stdout)
    assert document["errors"] == 1
    assert document["diagnostics"][0]["path"] == specs[0]
    assert document["diagnostics"][0]["span"]["start"] == {
        "line": 10,
        "column": 16,
        "offset": BAD.index("slop *"),
    }


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_machine_formats_are_json_for_a_good_spec_too(tmp_path: Path, form: str) -> None:
    result = run("check", write(tmp_path / "a.ppl", GOOD), "--format", form)
    assert result.exit_code == 0
    json.loads(result.stdout)


def test_sarif_names_the_rule(tmp_path: Path) -> None:
    result = run("check", write(tmp_path / "a.ppl", BAD), "--format", "sarif")
    assert result.exit_code == 1
    run_ = json.loads(result.stdout)["runs"][0]
    assert run_["results"][0]["ruleId"] == "PPL010"
    assert "## Instead" in run_["tool"]["driver"]["rules"][0]["help"]["markdown"]


def test_github(tmp_path: Path) -> None:
    result = run("check", write(tmp_path / "a.ppl", BAD), "--format", "github")
    assert result.exit_code == 1
    assert result.stdout.startswith("::error file=")
    clean = run("check", write(tmp_path / "b.ppl", GOOD), "--format", "github")
    assert (clean.exit_code, clean.stdout) == (0, "")


BAD_FILES = {
    "binary": bytes(range(256)),
    "control": b"model {\x00}",
    "large": b"# a comment\n" * 900_000,
    "deep": b"model { x ~ Normal(" + b"(" * 50_000 + b"1" + b")" * 50_000 + b", 1) }",
    "open": b"(" * 10_000,
    "long number": b"model { x ~ Normal(" + b"9" * 10_000 + b", 1) }",
    "empty": b"",
    "not an IR": b'{"version": 1}',
    "broken JSON": b"{",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_junk_is_an_error_and_never_a_crash(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.ppl").write_bytes(BAD_FILES[name])
    result = run("check", str(tmp_path / "a.ppl"))
    assert result.exit_code == 1, result.stderr
    assert "error PPL0" in result.stderr
    assert len(result.stderr) < 3000


@pytest.mark.parametrize("name", ["missing.ppl", ".", "no/such/folder.ppl", "a\x00b"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    result = run("check", f"{tmp_path}/{name}")
    assert result.exit_code == 1
    assert "error PPL002" in result.stderr


def test_binary_junk_on_standard_input() -> None:
    result = run("check", "-", stdin=bytes(range(256)))
    assert result.exit_code == 1
    assert "error PPL002" in result.stderr
