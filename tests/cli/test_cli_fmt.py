"""`pplc fmt`."""

import stat
from pathlib import Path

import pytest
from cli_helpers import GOOD, run, write

UGLY = """\
data{dim obs
y[obs]:real}   # seen
model{
mu~Normal( 0,5 )
plate obs{y~Normal(mu,1)}}
"""


@pytest.fixture(scope="module")
def pretty() -> str:
    return run("fmt", "-", stdin=UGLY).stdout


def test_standard_input_to_standard_output(pretty: str) -> None:
    assert "  mu ~ Normal(0, 5)\n" in pretty
    assert "# seen" in pretty
    again = run("fmt", "-", stdin=pretty)
    assert (again.exit_code, again.stdout) == (0, pretty)


def test_files_are_written_in_place(tmp_path: Path, pretty: str) -> None:
    specs = [write(tmp_path / "a.ppl", UGLY), write(tmp_path / "b.ppl", pretty)]
    result = run("fmt", *specs)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"reformatted {specs[0]}\n"
    assert (tmp_path / "a.ppl").read_text() == pretty
    assert run("fmt", *specs).stderr == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ppl", "b.ppl"]


def test_check_writes_nothing(tmp_path: Path, pretty: str) -> None:
    spec = write(tmp_path / "a.ppl", UGLY)
    result = run("fmt", "--check", spec)
    assert (result.exit_code, result.stderr) == (1, f"would reformat {spec}\n")
    assert (tmp_path / "a.ppl").read_text() == UGLY
    assert run("fmt", "--check", write(tmp_path / "b.ppl", pretty)).exit_code == 0
    assert run("fmt", "--check", "-", stdin=UGLY).exit_code == 1


def test_diff_shows_and_writes_nothing(tmp_path: Path) -> None:
    spec = write(tmp_path / "a.ppl", UGLY)
    result = run("fmt", "--diff", spec)
    assert result.exit_code == 0
    assert f"--- {spec}\n+++ {spec} (formatted)\n" in result.stdout
    assert "\n-mu~Normal( 0,5 )\n" in result.stdout
    assert "\n+  mu ~ Normal(0, 5)\n" in result.stdout
    assert (tmp_path / "a.ppl").read_text() == UGLY
    assert run("fmt", "--diff", "--check", spec).exit_code == 1


def test_line_ends_and_permissions_stay(tmp_path: Path, pretty: str) -> None:
    file = tmp_path / "a.ppl"
    file.write_bytes(UGLY.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    assert run("fmt", str(file)).exit_code == 0
    assert file.read_bytes() == pretty.replace("\n", "\r\n").encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert run("fmt", "--check", str(file)).exit_code == 0


def test_a_link_stays_a_link(tmp_path: Path, pretty: str) -> None:
    write(tmp_path / "a.ppl", UGLY)
    link = tmp_path / "link.ppl"
    link.symlink_to("a.ppl")
    assert run("fmt", str(link)).exit_code == 0
    assert link.is_symlink()
    assert (tmp_path / "a.ppl").read_text() == pretty


def test_a_spec_that_does_not_parse_is_left_alone_and_the_others_are_formatted(
    tmp_path: Path, pretty: str
) -> None:
    bad = write(tmp_path / "bad.ppl", "model { mu ~ Normal(0 5) }\n")
    ugly = write(tmp_path / "ugly.ppl", UGLY)
    result = run("fmt", bad, ugly, str(tmp_path / "missing.ppl"))
    assert result.exit_code == 1
    assert "error PPL001" in result.stderr
    assert "error PPL002" in result.stderr
    assert result.stderr.splitlines()[-1] == "2 errors"
    assert (tmp_path / "bad.ppl").read_text() == "model { mu ~ Normal(0 5) }\n"
    assert (tmp_path / "ugly.ppl").read_text() == pretty


def test_an_unwritable_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write(tmp_path / "a.ppl", UGLY)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    result = run("fmt", spec)
    assert result.exit_code == 1
    assert "error PPL098: cannot write the file: Permission denied" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.ppl"]


def test_a_good_spec_still_means_the_same(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old.ppl", GOOD), write(tmp_path / "new.ppl", GOOD)
    assert run("fmt", new).exit_code == 0
    assert run("diff", old, new).stdout == "no difference\n"
