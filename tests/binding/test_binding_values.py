"""Good data in every form become the tensors, sizes and coords that the spec declares."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from binding_helpers import bound, program

from compiler.binding import parse_mapping

SCHOOLS = program(
    {"school": None}, y={"dims": ("school",)}, sigma={"dims": ("school",), "lower": 0.0}
)
FRAME = pd.DataFrame(
    {"school": ["Choate", "Deerfield"], "y": [28.0, 8.0], "sigma": [15, 10], "note": ["a", "b"]}
)


def as_file(form: str, folder):
    path = folder / f"data.{form}"
    match form:
        case "csv":
            FRAME.to_csv(path, index=False)
        case "tsv":
            FRAME.to_csv(path, index=False, sep="\t")
        case "parquet":
            FRAME.to_parquet(path)
        case "json":
            path.write_text(json.dumps({n: FRAME[n].tolist() for n in FRAME}))
        case "npz":
            np.savez(
                path,
                **{
                    n: FRAME[n]
                    .to_numpy()
                    .astype(FRAME[n].dtype.kind if FRAME[n].dtype.kind in "if" else "U")
                    for n in FRAME
                },
            )
    return path


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "json", "npz"])
def test_every_file_form_gives_the_same(form, tmp_path):
    data = bound(SCHOOLS, as_file(form, tmp_path))
    assert data.values["school"] == 2
    assert data.coords["school"] == ("Choate", "Deerfield")
    assert data.values["y"].tolist() == [28.0, 8.0]
    assert data.values["sigma"].dtype == torch.float64
    assert data.sizes == {"school": 2}
    assert any("note" in note for note in data.notes)


@pytest.mark.parametrize("form", ["csv", "parquet", "json", "npz"])
def test_a_wrong_suffix_is_seen_through(form, tmp_path):
    path = as_file(form, tmp_path).rename(tmp_path / "data.bin")
    assert bound(SCHOOLS, str(path)).values["y"].tolist() == [28.0, 8.0]


@pytest.mark.parametrize(
    "source",
    [
        FRAME,
        FRAME.set_index("school"),
        {"y": [28, 8], "sigma": (15, 10), "school": ["Choate", "Deerfield"]},
        {"y": torch.tensor([28, 8]), "sigma": np.array([15, 10]), "school": FRAME["school"]},
        xr.Dataset(
            {"y": ("school", [28.0, 8.0]), "sigma": ("school", [15, 10])},
            coords={"school": ["Choate", "Deerfield"]},
        ),
        [FRAME[["school", "y"]], FRAME[["school", "sigma"]].iloc[::-1]],
    ],
    ids=["frame", "indexed", "dict", "tensors", "dataset", "two frames in other orders"],
)
def test_memory_gives_the_same(source):
    data = bound(SCHOOLS, source)
    assert data.values["y"].tolist() == [28.0, 8.0]
    assert data.values["sigma"].tolist() == [15.0, 10.0]
    assert data.coords["school"] == ("Choate", "Deerfield")


def test_records_and_scalars(tmp_path):
    path = tmp_path / "d.json"
    path.write_text('[{"y": 1}, {"y": 2.5}, {"y": true}]')
    other = tmp_path / "e.json"
    other.write_text('{"n": 7, "k": [3]}')
    spec = program({"obs": None}, y={"dims": ("obs",)}, n={"element": "int"}, k={})
    data = bound(spec, [path, other])
    assert data.values["y"].tolist() == [1.0, 2.5, 1.0]
    assert data.values["n"].shape == ()
    assert data.values["k"].item() == 3.0


def test_sizes_come_from_the_spec_the_options_and_the_data():
    spec = program({"k": 3, "j": None, "obs": None}, w={"dims": ("k",)}, y={"dims": ("obs", 2)})
    data = bound(spec, {"w": [1, 2, 3], "y": [[1, 2]] * 4}, sizes={"j": 5})
    assert data.sizes == {"k": 3, "j": 5, "obs": 4}
    assert data.coords["j"] == (0, 1, 2, 3, 4)


def test_no_data_at_all():
    assert bound(program({"k": 3}), None).values == {"k": 3}


class TestMatrix:
    spec = program({"obs": None, "pred": None}, X={"dims": ("obs", "pred")})

    @pytest.mark.parametrize("pattern", ["X_{}", "X.{}", "X[{}]"])
    @pytest.mark.parametrize("base", [0, 1])
    def test_numbered_columns(self, pattern, base):
        frame = pd.DataFrame({pattern.format(base + i): [i, i + 10] for i in range(11)})
        values = bound(self.spec, frame[frame.columns[::-1]]).values
        assert values["X"].tolist() == [list(range(11)), list(range(10, 21))]

    def test_three_axes(self):
        spec = program({"obs": None}, A={"dims": ("obs", 2, 2)})
        frame = pd.DataFrame({f"A[{i},{j}]": [10 * i + j] for j in (1, 2) for i in (1, 2)})
        assert bound(spec, frame).values["A"].tolist() == [[[11, 12], [21, 22]]]

    def test_mapped_columns_name_the_coords(self):
        frame = pd.DataFrame({"age": [1, 2], "income": [3, 4], "bmi": [5, 6]})
        data = bound(self.spec, frame, mapping=parse_mapping(["X=bmi,age"]))
        assert data.values["X"].tolist() == [[5, 1], [6, 2]]
        assert data.coords["pred"] == ("bmi", "age")

    def test_one_mapped_column_is_a_matrix_of_one(self):
        data = bound(self.spec, pd.DataFrame({"age": [1, 2]}), mapping={"age": "X"})
        assert data.values["X"].shape == (2, 1)
        assert data.coords["pred"] == ("age",)

    def test_list_column_and_two_d_array(self, tmp_path):
        path = tmp_path / "x.parquet"
        pd.DataFrame({"X": [[1.0, 2.0], [3.0, 4.0]]}).to_parquet(path)
        assert bound(self.spec, path).values["X"].tolist() == [[1, 2], [3, 4]]
        assert bound(self.spec, {"X": np.eye(2)}).values["X"].tolist() == [[1, 0], [0, 1]]

    def test_xarray_axes_are_told_by_name(self):
        data = xr.Dataset({"X": (("pred", "obs"), [[1, 2, 3], [4, 5, 6]])})
        assert bound(self.spec, data).values["X"].tolist() == [[1, 4], [2, 5], [3, 6]]


class TestIndex:
    spec = program(
        {"obs": None, "county": None},
        g={"element": "index", "index_of": "county", "dims": ("obs",)},
    )

    def based(self, base, size=None):
        return program(
            {"obs": None, "county": size},
            g={"element": "index", "index_of": "county", "dims": ("obs",), "base": base},
        )

    def test_strings_are_factorised_in_sorted_order(self):
        data = bound(self.spec, {"g": ["b", "c", "a", "b"]})
        assert data.values["g"].tolist() == [1, 2, 0, 1]
        assert data.values["g"].dtype == torch.int64
        assert data.coords["county"] == ("a", "b", "c")

    def test_categories_keep_their_order_and_their_empty_ones(self):
        levels = pd.Categorical(["high", "low"], categories=["low", "mid", "high"])
        data = bound(self.spec, pd.DataFrame({"g": levels}))
        assert data.values["g"].tolist() == [2, 0]
        assert data.coords["county"] == ("low", "mid", "high")

    def test_numbers_count_from_the_base(self):
        data = bound(self.based(1), {"g": [3, 1, 2.0]})
        assert data.values["g"].tolist() == [2, 0, 1]
        assert data.coords["county"] == (1, 2, 3)
        assert bound(self.based(0), {"g": [0, 1]}).coords["county"] == (0, 1)
        assert bound(self.based(0, size=4), {"g": [1, 3]}).values["g"].tolist() == [1, 3]

    def test_numbers_in_text_are_numbers(self, tmp_path):
        path = tmp_path / "d.csv"
        path.write_text("g\n2\n1\n")
        assert bound(self.based(1), path).values["g"].tolist() == [1, 0]

    def test_labels_beside_the_dim_s_own_data_decide_the_order(self, tmp_path):
        spec = program(
            {"obs": None, "county": None},
            g={"element": "index", "index_of": "county", "dims": ("obs",)},
            u={"dims": ("county",)},
        )
        houses, counties = tmp_path / "houses.csv", tmp_path / "counties.csv"
        houses.write_text("county\nAITKIN\nWADENA\nAITKIN\n")
        counties.write_text("county,u\nWADENA,2.5\nAITKIN,1.5\n")
        data = bound(spec, [houses, counties], mapping={"county": "g"})
        assert data.coords["county"] == ("WADENA", "AITKIN")
        assert data.values["g"].tolist() == [1, 0, 1]
        assert data.values["u"].tolist() == [2.5, 1.5]

    def test_numbers_that_label_the_dim_are_looked_up(self):
        spec = program(
            {"obs": None, "county": None},
            g={"element": "index", "index_of": "county", "dims": ("obs",), "base": 1},
            u={"dims": ("county",)},
        )
        data = {"g": [3, 1, 2], "county": [2, 3, 1], "u": [20, 30, 10]}
        assert bound(spec, data).values["g"].tolist() == [1, 2, 0]
        data["county"] = [1990, 1991, 1992]
        assert bound(spec, data).values["g"].tolist() == [2, 0, 1]


def test_booleans_count_as_zero_and_one(tmp_path):
    spec = program(
        {"obs": None},
        y={"element": "int", "dims": ("obs",), "lower": 0.0, "upper": 1.0},
        b={"element": "bool", "dims": ("obs",)},
    )
    path = tmp_path / "d.csv"
    path.write_text("y,b\nTRUE,1\nfalse,True\n\n")
    data = bound(spec, path)
    assert data.values["y"].tolist() == [1.0, 0.0]
    assert data.values["b"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("simplex", [[0.2, 0.8], [0.5, 0.5]]),
        ("ordered", [[-1, 2], [3, 4]]),
        ("positive_definite", [[2, 1], [1, 2]]),
        ("corr_matrix", [[1, 0.5], [0.5, 1]]),
        ("corr_cholesky", [[1, 0], [0.6, 0.8]]),
        ("lower_cholesky", [[2, 0], [0.6, 0.8]]),
    ],
)
def test_forms(form, value):
    spec = program({}, A={"dims": (2, 2), "form": form})
    assert bound(spec, {"A": value}).values["A"].tolist() == value


def test_float32():
    data = bound(program({}, a={}), {"a": 1.5}, dtype=torch.float32)
    assert data.values["a"].dtype == torch.float32


def test_mapping_text():
    assert parse_mapping(["X = a, b", "g=county"]) == {"a": "X", "b": "X", "county": "g"}
    for bad in (["X"], ["=a"], ["X=a,,b"], ["X=a", "Y=a"]):
        with pytest.raises(ValueError, match=r"column|form"):
            parse_mapping(bad)


@pytest.mark.parametrize("size", [3, np.int64(3), np.array(3)], ids=["int", "numpy", "array"])
def test_a_number_of_a_dims_name_is_its_size(size):
    spec = program(
        {"school": None, "district": None},
        y={"dims": ("school",)},
        g={"dims": ("school",), "element": "index", "index_of": "district", "base": 1},
    )
    data = bound(spec, {"y": [1.0, 2.0], "g": [1, 2], "district": size, "school": 2})
    assert data.sizes == {"school": 2, "district": 3}


def test_labels_are_no_number_of_entries():
    spec = program({"school": None}, y={"dims": ("school",)})
    data = bound(spec, {"y": [1.0], "school": [7]})
    assert data.coords == {"school": (7,)}


def test_small_data_begin_where_a_register_does():
    """Elsewhere, products of matrices would have other last digits from run to run."""
    memory = np.zeros(64)
    for start in range(8):
        values = bound(SCHOOLS, {"y": memory[start : start + 3], "sigma": 1.0 + memory[5:8]}).values
        assert all(values[name].data_ptr() % 64 == 0 for name in ("y", "sigma"))
