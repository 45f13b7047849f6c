"""Files that are no files, promise what they do not hold, or change while they are read."""

from __future__ import annotations

import datetime
import hashlib
import io
import os
import pickle
import re
import signal
import socket
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from binding_helpers import bound, faults, program

import compiler.memory
from compiler.binding import read, snapshot, streaming

Y = program({"obs": None}, y={"dims": ("obs",)})
GROUPS = program(
    {"obs": None, "g": None},
    y={"dims": ("obs",)},
    i={"dims": ("obs",), "element": "index", "index_of": "g"},
)
COUNT = program({"obs": None}, y={"dims": ("obs",), "element": "int"})


@contextmanager
def at_once() -> Iterator[None]:
    """Fail where something is waited for."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError("this takes too long")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 10)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def one(spec: Any, source: Any, **options: Any) -> str:
    with at_once():
        found = faults(spec, source, **options)
    assert len(found) == 1, found
    return found[0]


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=True)
    return file.getvalue()


def promised(shape: str, kind: str = "<f8", body: bytes = bytes(64)) -> bytes:
    """An npy file with a header that need not be true."""
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head.encode() + b"\n" + body


def npz(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def patched(content: bytes, local: int, central: int, change: Callable[[bytes], bytes]) -> bytes:
    """A zip archive with two bytes of each of its headers changed."""
    found = bytearray(content)
    for magic, place in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = -1
        while (at := content.find(magic, at + 1)) >= 0:
            found[at + place : at + place + 2] = change(content[at + place : at + place + 2])
    return bytes(found)


def twice() -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("y.npy", npy([1.0]))
        archive.writestr("y.npy", npy([2.0]))
    return file.getvalue()


class Evil:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("code of the file has run",))


GOOD = npz(y=npy(np.ones(300)))
FILES: dict[str, tuple[str, bytes, str]] = {
    "int of 400 digits": (
        "d.json",
        b'{"y": [1, ' + b"9" * 400 + b"]}",
        "row 2 is a .* about 400 digits",
    ),
    "negative of 400": ("d.json", b'{"y": [-' + b"9" * 400 + b", 1]}", "row 1 .* about 400 digits"),
    "deep": ("d.json", b'{"y": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}", "PPL092 .*32 lists deep"),
    "half a character": ("d.json", b'{"y": [1], "\\ud800": 1}', r"name '\\ud800' holds half of a"),
    "NUL in a name": ("d.json", b'{"y": [1], "a\\u0000": 1}', "holds a NUL"),
    "header 1e12": ("y.npy", promised("(1000000000000,)"), "1,000,000,000,000 entries .* 64 bytes"),
    "header overflows": ("y.npy", promised("(4611686018427387904, 4)"), "in its header"),
    "header negative": ("y.npy", promised("(-3,)"), "in its header"),
    "entries of no size": ("y.npy", promised("(1000000000000,)", "|S0"), "are not read"),
    "objects": ("y.npy", npy(np.array([Evil()], dtype=object)), "Python objects"),
    "no header": ("y.npy", promised("(" * 5000 + ")" * 5000), "cannot be read as npy"),
    "version 9": ("y.npy", b"\x93NUMPY\x09\x00" + bytes(100), r"version \(9, 0\)"),
    "cut short": ("y.npy", npy(np.ones(1000))[:500], "1,000 entries in its header"),
    "npz 1e12": ("d.npz", npz(y=promised("(1000000000000,)")), "entry 'y' is said to have"),
    "npz of 33 axes": ("d.npz", npz(y=npy(np.ones((1,) * 33))), "33 axes; at most 32"),
    "npz of no end": ("d.npz", npz(y=promised(f"(0, {10**30})")), "declared"),
    "npz of objects": ("d.npz", npz(y=npy(np.array([Evil()], dtype=object))), "Python objects"),
    "npz encrypted": ("d.npz", patched(GOOD, 6, 8, lambda b: bytes((b[0] | 1, b[1]))), "encrypted"),
    "npz method 99": ("d.npz", patched(GOOD, 8, 10, lambda b: b"\x63\0"), "compression method"),
    "npz of nothing": ("d.npz", b"PK\x05\x06" + bytes(18), "no npz file"),
    "npz twice": ("d.npz", twice(), "holds 'y.npy' twice"),
    "npz damaged": ("d.npz", GOOD[:60] + bytes(20) + GOOD[80:], "cannot be read as npz"),
    "pickle": ("d.csv", pickle.dumps(Evil()), "binary file"),
    "not UTF-8, late": ("d.csv", b"y,z\n" + b"1,a\n" * 5000 + b"2,\xe9\n", "line 5002, byte"),
}


@pytest.mark.parametrize("case", FILES)
def test_hostile_files_are_refused_at_their_place(case: str, tmp_path: Path) -> None:
    name, content, words = FILES[case]
    (tmp_path / name).write_bytes(content)
    fault = one(Y, tmp_path / name)
    assert str(tmp_path / name) in fault
    assert re.search(words, fault), fault


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text("y\n1\n2\n")
    bound(Y, tmp_path / "y.csv")
    tracemalloc.start()
    try:
        bound(Y, tmp_path / "y.csv")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_what_is_no_file_is_refused_unopened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    os.symlink("/dev/zero", tmp_path / "zero.json")
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert "pipe.csv is a pipe (write what comes" in one(Y, tmp_path / "pipe.csv")
        assert "zero.json is a device" in one(Y, tmp_path / "zero.json")
        assert "socket is a socket" in one(Y, tmp_path / "socket")
    assert "too many levels" in one(Y, tmp_path / "loop")
    assert "name too long" in one(Y, "x" * 5000)
    assert "null byte" in one(Y, "a\0b")
    os.symlink(tmp_path / "pipe.csv", tmp_path / "y.npy")  # within a folder of arrays, too
    assert "y.npy is a pipe" in one(Y, tmp_path)


@pytest.mark.parametrize("form", ["json", "csv", "npz", "parquet", "dict", "categories"])
def test_labels_that_no_file_can_hold_are_refused(form: str, tmp_path: Path) -> None:
    labels, path = ["a", "b\0c"], tmp_path / f"d.{form}"
    frame = pd.DataFrame({"i": labels, "y": [1.0, 2.0]})
    source: Any = path
    match form:
        case "json":
            path.write_text(frame.to_json(orient="records"))
        case "csv":
            path.write_bytes(b"i,y\n" + b"a,1\n" * 2000 + b"b\0c,2\n")
        case "npz":
            np.savez(path, i=np.array(labels), y=[1.0, 2.0])
        case "parquet":
            frame.to_parquet(path)
        case "dict":
            source = {"i": ["a", "b\ud800"], "y": [1.0, 2.0]}
        case "categories":
            source = frame.assign(i=pd.Categorical(["a", "a"], categories=labels))
    fault = one(GROUPS, source)
    assert fault.startswith("PPL092")
    assert "row 2" in fault or form == "csv"
    assert "which holds " in fault or "holds a NUL" in fault


ODD = {
    "intervals": (pd.cut([1, 2, 3, 4], 2), ("(0.997, 2.5]", "(2.5, 4.0]")),
    "periods": (pd.Categorical([pd.Period("2020-02", "M")] * 4), ("2020-02",)),
    "days": (pd.Categorical([datetime.date(2020, 1, 1)] * 4), ("2020-01-01",)),
    "times": (pd.Categorical(pd.to_datetime(["2020-01-02"] * 4)), ("2020-01-02",)),
    "beyond int64": (pd.Categorical([2**70, 2**70 + 1] * 2), (str(2**70), str(2**70 + 1))),
    "int64": (pd.Categorical([2**60, 7] * 2), (7, 2**60)),
}


@pytest.mark.parametrize("kind", ODD)
def test_categories_of_any_kind_become_labels_that_files_can_hold(
    kind: str, tmp_path: Path
) -> None:
    column, names = ODD[kind]
    data = bound(GROUPS, pd.DataFrame({"i": column, "y": [1.0, 2.0, 3.0, 4.0]}))
    assert data.coords["g"] == names
    xr.Dataset(coords={"g": list(data.coords["g"])}).to_netcdf(tmp_path / "g.nc", engine="h5netcdf")


def test_whole_numbers_that_floats_cannot_hold_are_refused() -> None:
    assert "exact up to 9007199254740991" in one(COUNT, {"y": [1, 2**53 + 1]})
    assert bound(COUNT, {"y": [1, 2**53 - 1]}).values["y"].tolist() == [1.0, 2.0**53 - 1]
    names = program({"g": None}, y={"dims": ("g",)})
    far = [2**60 + 1, 2**60 + 2]  # as floats they are one number
    assert bound(names, {"y": [1.0, 2.0], "g": far}).coords["g"] == tuple(map(str, far))


@pytest.mark.parametrize("limit", [10**9, 10**14])
def test_sizes_without_room_in_memory(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler.memory, "most_memory", lambda: limit)
    huge = 2_000_000_000 if limit < 10**12 else 10**15
    fault = one(GROUPS, {"y": [1.0, 2.0], "i": [0, huge]})
    assert fault.startswith(f"PPL095 dim 'g' has {huge + 1:,} entries, since the data, entry 'i', ")
    assert "row 2 is " in fault
    free = program({"g": None})
    assert "PPL095 dim 'g' has " in faults(free, None, sizes={"g": 10**30})[0]


def test_archives_and_tables_that_unpack_to_more_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d.npz").write_bytes(npz(y=npy(np.zeros(1_000_000))))
    pd.DataFrame({"y": np.zeros(2_000_000)}).to_parquet(tmp_path / "d.parquet")
    monkeypatch.setattr(compiler.memory, "most_memory", lambda: 10**6)
    assert "unpacks to 0.0 GiB" in one(Y, tmp_path / "d.npz")
    assert "2,000,000 rows" in one(Y, tmp_path / "d.parquet")


def test_archives_are_unpacked_only_where_they_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = npy(np.zeros((4, 50_000)))
    (tmp_path / "d.npz").write_bytes(npz(x=npy(np.zeros(200_000)), unused=zeros))
    (tmp_path / "y.csv").write_text("y\n1\n2\n")
    (tmp_path / "y.json").write_text('{"y": [1, 2]}')
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it is unpacked"))
    for y in (tmp_path / "y.csv", tmp_path / "y.json", {"y": np.ones(2)}):
        assert "not used: x, unused" in bound(Y, [y, tmp_path / "d.npz"]).notes[0]
        x = program({"obs": None}, x={"dims": ("obs",)}, y={"dims": ("obs",)})
        assert one(x, [tmp_path / "d.npz", y]).startswith(
            "PPL095 dim 'obs' has several sizes: 200000 in 'x' in "
        )
    vector = program({"obs": None}, unused={"dims": ("obs",)})
    assert "is an array of 4 by 50000 values" in one(vector, tmp_path / "d.npz")
    assert "200000 in 'x' in " in one(
        program({"obs": None}, x={"dims": ("obs",)}), tmp_path / "d.npz", sizes={"obs": 3}
    )


class TestChanges:
    """What becomes of a file once it was read is of no account."""

    @pytest.fixture(autouse=True)
    def _large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(read, "MAPPED_FROM", 0)

    @pytest.mark.parametrize("form", ["npy", "csv", "json", "arrow"])
    def test_the_hash_is_of_what_was_read(self, form: str, tmp_path: Path) -> None:
        path = tmp_path / f"y.{form}"
        frame = pd.DataFrame({"y": np.arange(4000.0)})
        {
            "npy": lambda: np.save(path, frame["y"]),
            "csv": lambda: frame.to_csv(path),
            "json": lambda: path.write_text('{"y": [1, 2]}'),
            "arrow": lambda: frame.to_feather(path, compression="uncompressed"),
        }[form]()
        content = path.read_bytes()
        data = bound(Y, path)
        before = data.values["y"].clone()
        path.write_bytes(b"")  # in place: a file that is mapped ends here
        assert torch.equal(data.values["y"], before)
        path.unlink()
        digest = hashlib.sha256(content).hexdigest()
        assert data.hashes == {str(path): digest}
        assert not data.watched

    def test_rows_that_stay_in_a_file_survive_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        np.save(tmp_path / "y.npy", np.arange(40_000.0))
        with (tmp_path / "y.npy").open("rb") as file:
            memory, _, watched = snapshot.mapped(file, tmp_path / "y.npy")
        (tmp_path / "y.npy").write_bytes(b"")
        assert watched is None
        assert np.frombuffer(memory, offset=128)[-1] == 39_999.0
        assert [path.name for path in tmp_path.iterdir()] == ["y.npy"]

    def test_a_file_without_room_for_a_copy_is_watched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(snapshot, "MOST_COPIED", 0)
        path = tmp_path / "y.npy"
        np.save(path, np.arange(40_000.0))
        (watched,) = bound(Y, path).watched
        assert not watched.changed
        np.save(path, np.zeros(40_000))
        os.utime(path, ns=(1, 1))
        assert watched.changed
        path.unlink()
        assert not watched.changed  # what was mapped is still there

    def test_a_fit_of_a_file_that_was_changed_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pplc
        from compiler.run import fitting

        monkeypatch.setattr(snapshot, "MOST_COPIED", 0)
        monkeypatch.setattr(streaming, "LARGE", 50)
        path = tmp_path / "y.npy"
        np.save(path, np.arange(100.0))
        text = "data { dim obs\n y[obs] : real }\nmodel m { a ~ Normal(0, 1)\n"
        text += "plate obs minibatch 8 { y ~ Normal(a, 1) } }\nguide { part p = AutoNormal(*) }\n"
        made = fitting.job_of

        def then_changed(*arguments: Any, **options: Any) -> Any:
            job = made(*arguments, **options)
            os.utime(path, ns=(1, 1))
            return job

        monkeypatch.setattr(fitting, "job_of", then_changed)
        with pytest.raises(pplc.SpecError, match=r"PPL090 .*y\.npy was changed while the fit"):
            pplc.loads(text).fit(path, steps=2, draws=4, engine="eager", progress=False)
