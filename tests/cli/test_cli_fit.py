"""`compile-and-fit`, which is `pplc fit`: that its options reach the fit, and how it ends."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr
from cli_helpers import run, write

from compiler.cli.group import COMMANDS

ROOT = Path(__file__).parents[2]
SPEC = """\
data {
  dim obs
  y[obs] : real
}
model coin {
  mu ~ Normal(0, 5)
  plate obs {
    y ~ Normal(mu, 1)
  }
}
guide {
  part all = AutoNormal(*)
}
guide point {
  part all = AutoDelta(*)
}
fit {
  steps = 40
  draws = 50
}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "coin.ppl", SPEC)
    (tmp_path / "data.json").write_text('{"y": [1.0, 2.0, 3.0], "other": [4, 5, 6]}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_results_go_to_a_folder_named_after_the_spec(files: Path) -> None:
    result = run("fit", "coin.ppl", "--data", "data.json")
    assert result.exit_code == 0, result.stderr
    assert "mu" in result.stdout
    assert "saved in coin-fit" in result.stdout
    names = {path.name for path in (files / "coin-fit").iterdir()}
    assert {"posterior.nc", "module.py", "ir.json", "settings.json", "summary.json"} <= names
    settings = json.loads((files / "coin-fit" / "settings.json").read_text())["settings"]
    assert (settings["steps"], settings["draws"], settings["dtype"]) == (40, 50, "float64")


def test_options_reach_the_fit(files: Path) -> None:
    result = run(
        "fit", "coin.ppl", "--data", "data.json", "--guide", "point", "--seed", "7",
        "--steps", "30", "--draws", "20", "--dtype", "float32", "--device", "cpu",
        "--map", "y=other", "--correction", "none", "--out", "deep/result", "--format", "json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["out"] == "deep/result"
    with xr.open_dataset(
        files / "deep/result/posterior.nc", group="observed_data", engine="h5netcdf"
    ) as observed:
        assert observed["y"].values.tolist() == [4.0, 5.0, 6.0]
    settings = json.loads((files / "deep/result/settings.json").read_text())["settings"]
    assert settings["guide"] == "point"
    assert settings["seed"] == 7
    assert settings["steps"] == 30
    assert settings["draws"] == 20
    assert settings["dtype"] == "float32"
    assert settings["correction"] == "none"


def test_the_same_seed_gives_the_same_numbers(files: Path) -> None:
    del files
    printed = [
        run("fit", "coin.ppl", "--data", "data.json", "--seed", "3", "--format", "json").stdout
        for _ in range(2)
    ]
    first, second = (json.loads(text)["sites"] for text in printed)
    assert first == second


def test_quiet_prints_nothing(files: Path) -> None:
    del files
    result = run("fit", "coin.ppl", "--data", "data.json", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_a_spec_or_an_ir_file(files: Path) -> None:
    assert run("emit", "ir", "coin.ppl", "-o", "coin.json").exit_code == 0
    assert run("fit", "coin.json", "--data", "data.json", "-q").exit_code == 0
    assert (files / "coin-fit" / "posterior.nc").exists()
    stdin = run("fit", "-", "--data", "data.json", "-q", "--out", "piped", stdin=SPEC)
    assert stdin.exit_code == 0, stdin.stderr
    assert (files / "piped" / "module.py").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["missing.ppl", "--data", "data.json"], "PPL002"),
        (["coin.ppl", "--data", "missing.json"], "PPL090"),
        (["coin.ppl"], "PPL091"),
        (["coin.ppl", "--data", "data.json", "--guide", "pont"], "PPL010"),
        (["coin.ppl", "--data", "data.json", "--out", "data.json"], "PPL098"),
        (["coin.ppl", "--data", "data.json", "--out", "data.json/deep"], "PPL098"),
    ],
)
def test_bad_input_ends_with_one_and_leaves_nothing(
    files: Path, arguments: list[str], code: str
) -> None:
    before = sorted(files.rglob("*"))
    result = run("fit", *arguments)
    assert result.exit_code == 1
    assert f"error {code}" in result.stderr
    assert "Traceback" not in result.output
    assert sorted(files.rglob("*")) == before


def test_callables_need_leave(files: Path) -> None:
    spec = SPEC.replace("AutoDelta(*)", 'callable "nothing_of_the_kind:guide" for (mu)')
    write(files / "own.ppl", spec)
    result = run("fit", "own.ppl", "--data", "data.json", "--guide", "point")
    assert result.exit_code == 1
    assert "error PPL083" in result.stderr
    assert "--allow-callables" in result.stderr
    allowed = run("fit", "own.ppl", "--data", "data.json", "--guide", "point", "--allow-callables")
    assert allowed.exit_code == 1
    assert "error PPL082" in allowed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set", "obs"],
        ["--set", "obs=0"],
        ["--set", "obs=many"],
        ["--map", "y"],
        ["--map", "y=a", "--map", "z=a"],
        ["--steps", "0"],
        ["--seed", "-1"],
        ["--dtype", "float16"],
        ["--no-such-option"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_two(files: Path, arguments: list[str]) -> None:
    del files
    result = run("fit", "coin.ppl", "--data", "data.json", *arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_compile_and_fit_is_the_same_command(files: Path) -> None:
    assert COMMANDS["fit"] == "compile_and_fit"
    code = (
        "import sys, compiler.cli\n"
        "try:\n    compiler.cli.compile_and_fit_main()\n"
        "finally:\n    print('torch' in sys.modules, file=sys.stderr)"
    )
    write(files / "bad.ppl", SPEC.replace("Normal(mu", "Normal(nu"))
    result = subprocess.run(
        [sys.executable, "-c", code, "bad.ppl", "--data", "data.json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert result.returncode == 1
    assert "error PPL010" in result.stderr
    assert result.stderr.splitlines()[-1] == "False"  # a bad spec is told before torch is imported


NOWHERE = """\
data {
  dim obs
  y[obs] : real
}
model nowhere {
  mu ~ Normal(0, 1)
  share ~ Beta(2, 2)
  spread = mu - exp(mu) - share
  plate obs {
    y ~ Normal(mu, spread)
  }
}
"""


def test_a_model_that_can_start_nowhere_is_told_at_its_line(files: Path) -> None:
    (files / "data.json").write_text('{"y": [0.1, 0.4, -1.0]}')
    result = run("fit", write(files / "nowhere.ppl", NOWHERE), "--data", "data.json")
    assert (result.exit_code, result.stdout) == (1, "")
    first, *others = result.stderr.splitlines()
    found = re.fullmatch(
        r".*nowhere\.ppl:10:5: error PPL097: no starting point was found in 100 tries; in each of "
        r"them: scale of Normal must be greater than 0, and is -\d\S* \(just after site 'share'\); "
        r"latents without bounds: mu",
        first,
    )
    assert found, first
    assert "tensor" not in result.stderr
    assert others == [
        "   |",
        "10 |     y ~ Normal(mu, spread)",
        "   |     ^^^^^^^^^^^^^^^^^^^^^^",
        "help: give one of them bounds (`truncated(…)`, or another distribution), or an init value "
        "at which this line can be computed: `init median at { NAME = NUMBER }`",
        "",
        "1 error",
    ]
    assert not (files / "nowhere-fit").exists()
