"""`pplc compare`: its options, its output and how it ends."""

import json
from pathlib import Path

import pytest
from cli_helpers import GOOD, run, write

GOOD = f"{GOOD}fit {{\n  steps = 300\n}}\n"
POINT = GOOD.replace("AutoNormal", "AutoDelta")
WORDS = ("--data", "data.json", "--draws", "300", "--tune", "300", "--seed", "2")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "line.ppl", GOOD)
    write(tmp_path / "point.ppl", POINT)
    (tmp_path / "data.json").write_text('{"x": [1, 2, 3, 4, 5], "y": [1.1, 1.7, 3.2, 3.9, 5.2]}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_strict_ends_with_3_where_they_disagree(files: Path) -> None:
    result = run("compare", "point.ppl", *WORDS, "--strict")
    assert result.exit_code == 3, result.output
    assert "✗ slope" in result.stdout
    assert "saved in point-compare" in result.stdout
    assert (files / "point-compare" / "compare.png").exists()


def test_json_says_what_was_done(files: Path) -> None:
    result = run(
        "compare", "line.ppl", *WORDS, "--chains", "3", "--out", "here", "--format", "json"
    )
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["out"] == "here"
    assert record["settings"] == {
        "chains": 3, "draws": 300, "tune": 300, "seed": 2, "target_accept": 0.9,
    }  # fmt: skip
    assert set(record["sites"]) == {"slope", "sigma"}
    assert json.loads((files / "here" / "compare.json").read_text())["agrees"] == record["agrees"]


def test_a_folder_of_other_things_is_left_alone(files: Path) -> None:
    (files / "mine").mkdir()
    (files / "mine" / "letter.txt").write_text("dear")
    result = run("compare", "line.ppl", *WORDS, "--out", "mine")
    assert result.exit_code == 1
    assert "PPL098" in result.stderr
    assert [path.name for path in (files / "mine").iterdir()] == ["letter.txt"]


def test_a_command_line_that_is_wrong() -> None:
    assert run("compare", "line.ppl", "--chains", "1").exit_code == 2
    assert run("compare", "line.ppl", "--target-accept", "1").exit_code == 2
