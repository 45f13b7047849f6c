"""Arguments and files that nobody gives on purpose: an error, and no mistake in pplc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import GOOD, run, write

import compiler.memory
import pplc
from compiler.memory import is_out_of_memory
from compiler.reading import MOST_BYTES


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "m.ppl", GOOD)
    (tmp_path / "d.csv").write_text("x,y\n1,1\n2,2\n3,3.1\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    os.symlink("/dev/zero", tmp_path / "zero.ppl")
    return tmp_path


@pytest.mark.parametrize("command", [["check"], ["fmt", "--check"], ["emit", "ir"], ["diff", "-"]])
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("pipe", "pipe is a pipe"),
        ("zero.ppl", "zero.ppl is a device"),
        (".", ". is a folder"),
        ("x" * 5000, "name too long"),
    ],
)
def test_specs_that_are_no_files(here: Path, command: list[str], path: str, words: str) -> None:
    result = run(*command, path, stdin=GOOD)
    assert result.exit_code == 1
    assert f"PPL002: {path[:200]}" in result.stderr
    assert words in result.stderr


def test_standard_input_without_end(here: Path) -> None:
    result = run("check", "-", stdin=b"#" * (MOST_BYTES + 1))
    assert result.exit_code == 1
    assert "larger than 1 MB" in result.stderr


HUGE = "99999999999999"
ARGUMENTS: dict[str, tuple[list[str], int, str]] = {
    "draws": (["--draws", HUGE], 1, "draws is 99,999,999,999,999, which needs 1.4 PiB"),
    "draws, beyond": (["--draws", "9" * 40], 1, "of memory at least"),
    "steps": (["--steps", HUGE], 1, "steps is 99,999,999,999,999"),
    "restarts": (["--restarts", HUGE], 1, "the number of fits is 99,999,999,999,999"),
    "size": (["--set", "obs=" + "9" * 30], 1, "dim 'obs' has "),
    "size of no number": (["--set", "obs=" + "9" * 5000], 2, "is not of the form DIM=N"),
    "seed": (["--seed", HUGE], 2, "--seed"),
    "device": (["--device", "meta"], 1, "device 'meta' cannot be used"),
    "device of no name": (["--device", "x\ny"], 1, "cannot be used"),
    "checkpoint": (["--checkpoint", "pipe"], 1, "pipe is not a file"),
    "data": (["--data", "pipe"], 1, "pipe is a pipe"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_of_a_fit(here: Path, case: str) -> None:
    arguments, code, words = ARGUMENTS[case]
    result = run("fit", "m.ppl", "--data", "d.csv", "--out", "fit", "-q", *arguments)
    assert result.exit_code == code, result.output
    assert words in " ".join(result.stderr.split())
    assert not (here / "fit").exists()


@pytest.mark.parametrize("setting", [{"particles": 10**14}, {"draws": 10**20}, {"steps": 10**20}])
def test_settings_from_python(here: Path, setting: dict[str, Any]) -> None:
    with pytest.raises(pplc.SpecError, match=r"PPL081 .* of memory at least"):
        pplc.load("m.ppl").fit("d.csv", progress=False, **setting)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        ValueError("Maximum allowed dimension exceeded"),
    ],
)
def test_a_fit_that_runs_out_of_memory_says_so(
    here: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compiler.run import fitting
    from compiler.run.job import Job

    def out(*arguments: Any, **options: Any) -> None:
        raise error

    arguments = ("fit", "m.ppl", "--data", "d.csv", "--steps", "5", "--draws", "10", "-q")
    for owner, name in ((Job, "groups"), (fitting, "job_of")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, out)
            result = run(*arguments, "--out", "fit")
        assert result.exit_code == 1, result.output
        assert "ran out of memory" in result.stderr
        assert not (here / "fit").exists()


def test_errors_of_memory_are_known() -> None:
    for make in (
        lambda: np.empty(10**15),
        lambda: __import__("torch").empty(10**15),
        lambda: __import__("torch").empty(2**62, 2**62),
        lambda: np.empty((2**62, 2**62)),
    ):
        with pytest.raises((MemoryError, RuntimeError, ValueError)) as caught:
            make()
        assert is_out_of_memory(caught.value), caught.value
    assert not is_out_of_memory(RuntimeError("another"))
    assert is_out_of_memory(ImportError("libx.so: failed to map segment from shared object"))
    assert is_out_of_memory(OSError(12, "Cannot allocate memory"))
    assert not is_out_of_memory(ImportError("libx.so: no such file"))


def test_how_much_memory_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = compiler.memory.most_memory()
    assert found is None or found > 2**27
    monkeypatch.setattr(compiler.memory, "_of_container", lambda: 2**27)
    assert compiler.memory.most_memory() == 2**27
    assert compiler.memory.in_words(3 * 2**29) == "1.5 GiB"
    assert compiler.memory.in_words(10**30).endswith("EiB")


def test_files_whose_names_are_no_text(here: Path) -> None:
    odd = os.fsdecode(b"odd\xff")
    write(here / f"{odd}.ppl", GOOD)
    (here / f"{odd}.csv").write_bytes((here / "d.csv").read_bytes())
    result = run(
        "fit", f"{odd}.ppl", "--data", f"{odd}.csv", "--out", "fit", "--steps", "20", "--draws",
        "20", "-q",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "odd\\\\xff.csv" in (here / "fit" / "settings.json").read_text(encoding="utf-8")
    assert run("report", "fit").exit_code == 0
