"""Data larger than memory stay in their files: they are checked there and fitted from there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import pplc
from compiler.binding import BoundData, bind, parts, read, streaming
from compiler.binding.stored import Stored
from compiler.diagnostics import Diagnostics, SpecError
from compiler.pipeline import compile_text

ROOT = Path(__file__).parents[2]
SPEC = """\
data {
  dim obs, pred, group
  X[obs, pred] : real <= 9
  g[obs] : index(group, base = 1)
  y[obs] : bool
  w[group] : real
}
model regression {
  beta[pred] ~ Normal(0, 1)
  record doubled = 2 * beta
  plate group { a ~ Normal(w, 1) }
  plate obs minibatch 16 {
    record linear = dot(X, beta) + a[g]
    y ~ Bernoulli(logits = linear)
  }
}
predict {
  new ~ Normal(sum(beta), 1)
  plate obs { again ~ Bernoulli(logits = dot(X, beta)) }
}
guide {
  part all = AutoNormal(*)
}
"""
ROWS = 200


def arrays() -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {
        "X": random.normal(size=(ROWS, 3)).astype(np.float32),
        "g": random.integers(1, 5, size=ROWS).astype(np.int16),
        "y": random.integers(0, 2, size=ROWS).astype(np.uint8),
        "w": np.linspace(0, 1, 4),
    }


@pytest.fixture
def _all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LARGE", 50)
    monkeypatch.setattr(parts, "_NUMBERS", 30)
    monkeypatch.setattr(read, "MAPPED_FROM", 0)


large = pytest.mark.usefixtures("_all_is_large")


def saved(folder: Path, values: dict[str, Any]) -> Path:
    folder.mkdir()
    for name, value in values.items():
        np.save(folder / f"{name}.npy", value)
    return folder


def bound(source: Any, spec: str = SPEC, **options: Any) -> BoundData:
    compiled = compile_text(spec, "spec.ppl")
    assert compiled.program is not None
    return bind(compiled.program, source, diagnostics=Diagnostics("spec.ppl", spec), **options)


def in_arrow(path: Path, values: dict[str, Any]) -> list[Any]:
    rows = {name: value for name, value in values.items() if name not in ("X", "w")}
    matrix = pa.FixedSizeListArray.from_arrays(pa.array(values["X"].reshape(-1)), 3)
    table = pa.table({"X": matrix, **rows})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return [path, {"w": values["w"]}]


@large
@pytest.mark.parametrize("form", ["folder", "files", "arrow", "memmap"])
def test_columns_stay_in_their_files_and_rows_are_cast_as_they_are_read(
    tmp_path: Path, form: str
) -> None:
    values = arrays()
    folder = saved(tmp_path / "data", values)
    source: Any = {
        "folder": lambda: folder,
        "files": lambda: sorted(folder.glob("*.npy")),
        "arrow": lambda: in_arrow(tmp_path / "data.arrow", values),
        "memmap": lambda: {n: np.load(folder / f"{n}.npy", mmap_mode="r") for n in values},
    }[form]()
    data = bound(source, dtype=torch.float64)
    whole = bound(values, dtype=torch.float64)
    assert data.sizes == whole.sizes
    assert data.streamed == {"obs"}
    index = torch.tensor([5, 0, 199])
    for name in ("X", "g", "y"):
        stored, tensor = data.values[name], whole.values[name]
        assert isinstance(stored, Stored)
        assert stored.values.dtype == torch.from_numpy(values[name]).dtype
        assert isinstance(tensor, torch.Tensor)
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        assert torch.equal(stored[index], tensor[index])
        assert stored[index].dtype == tensor.dtype
        torch.set_default_dtype(before)
    assert isinstance(data.values["w"], torch.Tensor)


@large
@pytest.mark.parametrize(
    ("name", "places", "value"),
    [
        ("X", [(150, 1), (3, 2), (199, 0)], np.nan),
        ("X", [(150, 1)], np.inf),
        ("X", [(77, 0), (78, 0)], 9.5),
        ("g", [(120,), (10,)], 5),
        ("g", [(64,)], 0),
        ("y", [(199,), (198,), (0,)], 2),
    ],
)
def test_faults_are_told_as_for_data_in_memory(
    tmp_path: Path, name: str, places: list[tuple[int, ...]], value: float
) -> None:
    values = arrays()
    for place in places:
        values[name][place] = value

    def told(source: Any) -> list[str]:
        with pytest.raises(SpecError) as caught:
            bound(source)
        return [f"{d.code} {d.message} ({d.remedy})" for d in caught.value.diagnostics]

    folder = saved(tmp_path / "data", values)
    expected = [line.replace("the data, entry", f"{folder}, entry") for line in told(values)]
    assert told(folder) == expected


@large
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("model", "derive { s = sd(y) }\nmodel"), "'y' is used as a whole"),
        (("Normal(w, 1)", "Normal(w, 1 / obs)"), "its size is used in an expression"),
        (("y ~ B", "z ~ Normal(0, 1)\n y ~ B"), "'z' is drawn for each entry"),
    ],
)
def test_what_needs_all_of_the_data_gets_it_and_a_note(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    data = bound(saved(tmp_path / "data", arrays()), SPEC.replace(*change, 1))
    assert not data.streamed
    assert isinstance(data.values["X"], torch.Tensor)
    (note,) = data.notes
    assert note == (
        "the 1,000 numbers over 'obs' are held in memory as a whole, though a step reads 16 of its "
        f"entries: {reason}"
    )


def test_small_and_unmapped_data_are_read(tmp_path: Path) -> None:
    data = bound(saved(tmp_path / "data", arrays()))
    assert all(not isinstance(value, Stored) for value in data.values.values())
    assert not data.streamed


def test_a_folder_without_arrays_and_pickled_objects_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match=r"a folder without \.npy files"):
        bound(tmp_path / "empty")
    folder = saved(tmp_path / "data", arrays() | {"X": np.array([{}, None])})
    with pytest.raises(SpecError, match="holds Python objects"):
        bound(folder)
    (folder / "X.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(SpecError, match="cannot be read as npy"):
        bound(folder)


@large
def test_a_fit_from_files_is_the_fit_from_memory_and_leaves_the_data_out(tmp_path: Path) -> None:
    folder = saved(tmp_path / "data", arrays())
    options: dict[str, Any] = {"steps": 50, "draws": 20, "progress": False, "engine": "eager"}
    spec = pplc.loads(SPEC)
    fit = spec.fit(folder, **options)
    other = spec.fit(arrays(), **options)
    assert np.array_equal(fit.elbo, other.elbo)
    posterior = fit.idata["posterior"]
    assert set(posterior.data_vars) == {"beta", "doubled", "a"}
    assert np.array_equal(posterior["doubled"], 2 * posterior["beta"])
    assert set(fit.idata["predictions"].data_vars) == {"new"}
    assert set(fit.idata["constant_data"].data_vars) == {"w"}
    assert not {"observed_data", "posterior_predictive"} & set(fit.idata.groups())
    assert fit.khat is None
    assert (
        fit.posterior.trust
        == "k-hat is not known: the data are too many to be scored for each draw"
    )
    assert any("the data over 'obs' are large" in note for note in fit.notes)
    hashes = fit.record["hashes"]["data"]
    assert [Path(name).name for name in hashes] == ["X.npy", "g.npy", "w.npy", "y.npy"]


MEASURED = """\
import json, sys, threading, time
import pplc

def private():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))

def watch():
    global peak
    while True:
        peak = max(peak, private())
        time.sleep(0.01)

def fitted(folder):
    fit = spec.fit(folder, steps=600, progress=False, engine="graph", draws=100)
    short = spec.fit(folder, steps=100, progress=False, engine="graph", draws=100)
    fit.save(sys.argv[1])
    return fit.engine.seconds - short.engine.seconds

peak = private()
spec = pplc.load(sys.argv[2])
threading.Thread(target=watch, daemon=True).start()
few, before = fitted(sys.argv[3]), peak
many = fitted(sys.argv[4])
print(json.dumps({"megabytes": peak - before, "few": few, "many": many}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for its memory")
def test_neither_memory_nor_time_per_step_grows_with_the_data(tmp_path: Path) -> None:
    spec = SPEC.replace("minibatch 16", "minibatch 256")
    (tmp_path / "spec.ppl").write_text(spec)
    folders = []
    for rows in (20_000, 1_000_000):
        random = np.random.default_rng(1)
        few = {"w": np.linspace(0, 1, 4), "g": random.integers(1, 5, rows, dtype=np.int8)}
        few["y"] = random.integers(0, 2, rows, dtype=np.uint8)
        matrix = random.random((rows, 50), dtype=np.float32)
        folders.append(saved(tmp_path / str(rows), {"X": matrix, **few}))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, tmp_path / "out", tmp_path / "spec.ppl", *folders],
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["megabytes"] < 50  # of 200 in the file, which would be 400 in float64
    assert found["many"] < 4 * found["few"]  # for 50 times as many rows
