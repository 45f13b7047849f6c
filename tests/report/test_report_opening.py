"""Fits that were saved and then damaged: a report is made of what is there, or it is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from report_helpers import KINDS, KINDS_DATA, QUICK

import compiler.memory
import pplc
from compiler.diagnostics import SpecError
from compiler.report import content_in, opening, report_page
from compiler.run.saved import SavedOutcome, SavedRecord

GONE = object()
CHANGES: dict[str, Callable[[Any], Any]] = {
    "gone": lambda old: GONE,
    "null": lambda old: None if old is not None else [3],
    "a list": lambda old: ["<b>"] if not isinstance(old, list) else "<b>",
    "NaN": lambda old: float("nan") if not isinstance(old, float) else "nan",
    "a number": lambda old: -1 if not isinstance(old, int | float) else "-1",
}
FREE = {"restarts"}
"""What may be anything."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    few = {name: values[:4] for name, values in KINDS_DATA.items()}
    fit = pplc.loads(KINDS).fit(few, **QUICK)
    return fit.save(tmp_path_factory.mktemp("saved") / "fit", report=True)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "fit"))


def fault(folder: Path, *, report: bool = True) -> str:
    """Why a folder is refused; the empty text where a report can be made of it."""
    try:
        content = content_in(folder)
        assert not report or report_page(content)
    except SpecError as error:
        (found,) = error.diagnostics
        assert found.code == "PPL098"
        assert str(folder) in found.message
        return found.message
    return ""


def places(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every place in nested dicts, of those within others the first ones only."""
    entries = value.items() if isinstance(value, dict) else ()
    for key, entry in islice(entries, 20 if len(place) < 2 else 1):
        yield (*place, key)
        yield from places(entry, (*place, key))


def changed(value: Any, place: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    if not place:
        return change(value)
    key, *rest = place
    made = {k: changed(v, tuple(rest), change) if k == key else v for k, v in value.items()}
    return {k: v for k, v in made.items() if v is not GONE}


@pytest.mark.parametrize(
    ("file", "form"), [("settings.json", SavedRecord), ("summary.json", SavedOutcome)]
)
def test_any_field_that_is_damaged_is_named_or_does_no_harm(
    folder: Path, file: str, form: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = content_in(folder).groups
    monkeypatch.setattr(opening, "_groups", lambda path, program: groups)  # they take long
    whole = json.loads((folder / file).read_text(encoding="utf-8"))
    declared = set(form.model_fields)
    assert declared <= set(whole), "the form asks for what is not written"
    for place in places(whole):
        for name, change in CHANGES.items():
            (folder / file).write_text(json.dumps(changed(whole, place, change)), encoding="utf-8")
            told = fault(folder, report=len(place) == 1 and name == "null")
            if len(place) == 1 and place[0] in declared - FREE and name in ("gone", "a list"):
                is_list = isinstance(whole[place[0]], list)
                assert is_list or f"{file}: {place[0]}" in told, (place, name, told)


@pytest.mark.parametrize("file", ["settings.json", "summary.json", "ir.json"])
@pytest.mark.parametrize("text", ["[]", "3", "null", "", "{", "[" * 100_000, '{"a": 1}', "\xff"])
def test_files_of_another_form_are_refused(folder: Path, file: str, text: str) -> None:
    (folder / file).write_bytes(text.encode("latin-1"))
    told = fault(folder)
    assert file in told or "is not the output folder of a fit" in told


def test_ir_that_is_not_well_formed_is_refused(folder: Path) -> None:
    whole = json.loads((folder / "ir.json").read_text(encoding="utf-8"))
    for change in ({"guides": []}, {"name": "</svg><script>"}, {"version": 2}):
        (folder / "ir.json").write_text(json.dumps({**whole, **change}), encoding="utf-8")
        assert "ir.json: " in fault(folder)


@pytest.mark.parametrize("file", ["settings.json", "module.py", "spec.ppl", "posterior.nc"])
def test_what_is_no_file_is_not_waited_for(folder: Path, file: str) -> None:
    (folder / file).unlink()
    os.mkfifo(folder / file)
    assert f"{file} is a pipe" in fault(folder) or file == "settings.json"
    (folder / file).unlink()
    if file != "spec.ppl":
        assert fault(folder)
    (folder / file).mkdir()
    assert fault(folder)
    assert "is not the output folder of a fit" in fault(Path("/dev/zero"))


class TestPosterior:
    def test_flipped_bits(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        whole = (folder / "posterior.nc").read_bytes()
        for seed in range(20):
            random, content = np.random.default_rng(seed), bytearray(whole)
            for place in random.integers(len(content), size=random.integers(1, 60)):
                content[place] ^= 1 << random.integers(8)
            (folder / "posterior.nc").write_bytes(content)
            fault(folder, report=False)
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize("content", [b"", b"garbage", b"\x89HDF\r\n\x1a\n" + bytes(500)])
    def test_no_netcdf(self, folder: Path, content: bytes) -> None:
        (folder / "posterior.nc").write_bytes(content)
        assert "posterior.nc: " in fault(folder)

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
    def test_odd_numbers(self, folder: Path, value: float) -> None:
        with h5py.File(folder / "posterior.nc", "r+") as file:
            for array in file["posterior"].values():
                if array.dtype.kind == "f":
                    array[...] = value
        assert fault(folder) == ""

    def test_other_contents(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def with_rate(**options: Any) -> str:
            with h5py.File(folder / "posterior.nc", "r+") as file:
                with suppress(KeyError):
                    del file["posterior/rate"]
                file["posterior"].create_dataset("rate", **options)
            return fault(folder)

        assert "rate is " in with_rate(data=[b"a", b"b"])
        assert "which no draws are" in with_rate(data=np.ones((3, 4)))
        huge = with_rate(shape=(10**6, 10**6), dtype="f8", chunks=(100, 100))
        assert "is said to hold 7.3 TiB" in huge
        with h5py.File(folder / "posterior.nc", "r+") as file:
            del file["posterior"]
        assert "holds no draws of the model's sites" in fault(folder)
        monkeypatch.setattr(compiler.memory, "most_memory", lambda: 10)
        assert "can be had" in fault(folder)
