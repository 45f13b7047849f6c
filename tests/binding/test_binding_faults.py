"""Bad data: each fault with its code, its place and its remedy, and all of them in one run."""

from __future__ import annotations

import datetime
import re
import time

import numpy as np
import pandas as pd
import pytest
from binding_helpers import bound, faults, program

Y = program({"obs": None}, y={"dims": ("obs",)})
COUNT = program({"obs": None}, y={"dims": ("obs",), "element": "int", "lower": 0.0})


def one(spec, source, **options):
    found = faults(spec, source, **options)
    assert len(found) == 1, found
    return found[0]


class TestFiles:
    def test_missing(self, tmp_path):
        (tmp_path / "radon.csv").write_text("y\n1\n")
        fault = one(Y, tmp_path / "raddon.csv")
        assert fault.startswith("PPL090")
        assert "does not exist" in fault
        assert f"did you mean {tmp_path / 'radon.csv'}?" in fault

    def test_all_are_told_and_nothing_more(self, tmp_path):
        found = faults(Y, [tmp_path / "a.csv", tmp_path / "no" / "b.csv", tmp_path])
        assert [f[:6] for f in found] == ["PPL090"] * 3
        assert "is a folder" in found[2]

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("d.json", b"", "is empty"),
            ("d.json", b'{"y": [1, 2,]}', "line 1, column"),
            ("d.json", b'{"y": [1]\n "z": 2}', "line 2, column 2"),
            ("d.json", b"[1, 2]", "outermost value is a list"),
            ("d.json", b"3", "outermost value is a number"),
            ("d.json", b'{"y": [1], "y": [2]}', "key 'y' twice"),
            ("d.json", b'{"y": ' + b"[" * 200_000, "nested too deeply"),
            ("d.json", b'{"y": [' + b"9" * 5000 + b"]}", "too long"),
            ("d.json", b'{"y": ["\xff"]}', "UTF-8"),
            ("d.csv", b"y\n\xff\n", "0xff"),
            ("d.csv", b"y,y\n1,2\n", "several columns called 'y'"),
            ("d.csv", b"y,z\n1,2\n3,4,5\n", "line 3: 3 values for 2 columns"),
            ("d.csv", b"y,z\n1,2\n12,5,6\n", "decimal comma becomes a point"),
            ("d.csv", b"\n\n", "no column names"),
            ("d.csv", b"\x00\x01\x02", "binary"),
            ("d.csv", b"\x1f\x8b\x08", "gzip"),
            ("d.parquet", b"hello", "is not such a file"),
            ("d.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
            ("d.npz", b"hello", "is not such a file"),
            ("d.npz", b"PK\x03\x04 no", "cannot be read as npz"),
        ],
    )
    def test_damaged(self, name, content, words, tmp_path):
        (tmp_path / name).write_bytes(content)
        fault = one(Y, tmp_path / name)
        assert fault.startswith("PPL090")
        assert words in fault
        assert str(tmp_path / name) in fault

    def test_pickles_are_never_opened(self, tmp_path):
        np.savez(tmp_path / "d.npz", y=np.array([{"a": 1}], dtype=object))
        assert "Python objects, which are not read" in one(Y, tmp_path / "d.npz")

    def test_unknown_object(self):
        assert "type int cannot be bound" in one(Y, 3)


class TestNames:
    def test_did_you_mean(self):
        fault = one(program({"obs": None}, height={"dims": ("obs",)}), {"heigth": [1]})
        assert fault == (
            "PPL091 'height' is not in the data (did you mean the column 'heigth'? "
            "Say so with --map height=heigth)"
        )

    def test_no_data(self):
        assert "PPL091 no data is given for 'y'" in one(Y, None)

    def test_a_name_twice_among_very_many(self, tmp_path):
        """Comparing each name with all others would take a minute."""
        keys = ", ".join(f'"k{i}": 1' for i in (*range(60_000), 59_999))
        (tmp_path / "d.json").write_text(f"{{{keys}}}")
        begun = time.process_time()
        assert "key 'k59999' twice" in one(Y, tmp_path / "d.json")
        assert time.process_time() - begun < 10

    def test_mapping_to_and_from_nothing(self):
        found = faults(Y, {"size": [1.0]}, mapping={"sise": "y", "size": "why"})
        assert "PPL091 the mapping takes 'y' from the column 'sise'" in found[0] + found[1]
        assert "did you mean 'size'?" in found[0] + found[1]
        assert "PPL091 the mapping speaks of 'why'" in found[0] + found[1]

    def test_twice(self):
        both = [pd.DataFrame({"y": [1]}), {"y": [1]}]
        assert "'y' stands in the data frame and the data" in one(Y, both)

    def test_columns_in_different_files(self):
        spec = program({"obs": None}, X={"dims": ("obs", 2)})
        frames = [pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})]
        assert "different files" in one(spec, frames, mapping={"a": "X", "b": "X"})

    def test_a_gap_in_numbered_columns(self):
        spec = program({"obs": None}, X={"dims": ("obs", 2)})
        assert one(spec, pd.DataFrame({"X_1": [1], "X_3": [1]})).startswith("PPL091")


class TestEntries:
    @pytest.mark.parametrize(
        ("cell", "code", "words"),
        [
            ('"12,5"', "PPL092", "'12,5' has a decimal comma (and 1 more) (write 12.5)"),
            ("abc", "PPL092", "'abc' is not a number"),
            ("2024-05-01", "PPL092", "is a date"),
            ("1.2.2024", "PPL092", "is a date"),
            ('""', "PPL094", "is empty or NaN"),
            ("NA", "PPL094", "is empty or NaN"),
            ("inf", "PPL093", "must be finite"),
        ],
    )
    def test_csv_names_row_and_line(self, cell, code, words, tmp_path):
        path = tmp_path / "d.csv"
        path.write_text(f'z,y\n"two\nlines",1\n\nb,{cell}\nc,3\nd,{cell}\n')
        fault = one(Y, path)
        assert fault.startswith(f"{code} {path}, column 'y', row 2 (line 5)")
        assert words in fault
        assert "(and 1 more)" in fault

    @pytest.mark.parametrize(
        ("value", "code", "words"),
        [
            ([1, "2"], "PPL092", "entry 'y', row 2: '2' is text, not a number"),
            ([1, None], "PPL094", "row 2"),
            ([1, float("nan")], "PPL094", "row 2"),
            ([1, float("inf")], "PPL093", "row 2 is inf"),
            ([1, {}], "PPL092", "an object stands"),
            ([1, 2j], "PPL092", "complex"),
            (np.array([1, 2j]), "PPL092", "complex"),
            (np.array(["2020-01-01"], dtype="M8[D]"), "PPL092", "is a date"),
            ([datetime.date(2020, 1, 1)], "PPL092", "is a date"),
            (pd.Series(pd.to_datetime(["2020-01-01"])), "PPL092", "is a date"),
            (pd.Series([1, None], dtype="Int64"), "PPL094", "row 2"),
            ([[1, 2], [3]], "PPL092", "row 2 has 1 entries where the first has 2"),
            ([[1, 2], 3], "PPL092", "row 2 is a single value where a list of 2"),
            ([1, [2]], "PPL092", "row 2 is a list where a single value"),
            ([[1], [2]], "PPL095", "an array of 2 by 1 values where y[obs] is declared"),
            (3, "PPL095", "a single value where y[obs] is declared"),
            ({"a": 1}, "PPL095", "an object where y[obs]"),
            ([], "PPL095", "has no entries"),
        ],
    )
    def test_memory(self, value, code, words):
        fault = one(Y, {"y": value})
        assert fault.startswith(code)
        assert words in fault

    @pytest.mark.parametrize("second", [[1], [[1], 2], 5])
    def test_numbered_entries_that_are_no_columns(self, second):
        spec = program({"obs": None}, X={"dims": ("obs", 2)})
        assert one(spec, {"X_1": [1, 2], "X_2": second}).startswith("PPL092")

    def test_empty_table(self, tmp_path):
        (tmp_path / "d.csv").write_text("y,z\n")
        assert "'y' in" in (fault := one(Y, tmp_path / "d.csv"))
        assert "has no entries" in fault

    def test_whole_numbers_and_ranges(self):
        assert "row 2 is 2.5, not a whole number" in one(COUNT, {"y": [1, 2.5]})
        assert one(COUNT, {"y": [1, -2, -3]}) == (
            "PPL093 the data, entry 'y', row 2 is -2 (and 1 more); 'y' is declared to be >= 0 "
            "(correct the data, or the declaration)"
        )
        strict = program({}, s={"lower": 0.0, "lower_strict": True, "upper": 1.0})
        assert "declared to be > 0" in one(strict, {"s": 0})
        assert "declared to be <= 1" in one(strict, {"s": 1.5})
        assert "true or false" in one(program({}, b={"element": "bool"}), {"b": 2})

    def test_matrix_places(self):
        spec = program({"obs": None}, X={"dims": ("obs", 2)}, A={"dims": ("obs", 1, 2)})
        found = faults(spec, {"X": [[1, 2], [3, "x"]], "A": [[[1, None]]]})
        assert "entry 'X', row 2, column 2: 'x'" in found[1] + found[0]
        assert "entry 'A' at (1, 1, 2), counted from 1" in found[1] + found[0]
        frame = pd.DataFrame({"X_1": [1.0, 2.0], "X_2": [1.0, np.nan]})
        part = program({"obs": None}, X={"dims": ("obs", 2)})
        assert "column 'X_2', row 2 is empty" in one(part, frame)

    @pytest.mark.parametrize(
        ("form", "value", "words"),
        [
            ("simplex", [0.5, 0.4], "sum to 0.9"),
            ("simplex", [1.5, -0.5], "least entry is -0.5"),
            ("ordered", [2, 1], "entry 2 (1) is not above the one before (2)"),
            ("positive_ordered", [-1, 1], "first entry is -1"),
            ("unit_vector", [1, 1], "length is 1.414"),
            ("one_hot", [1, 1], "single 1"),
            ("positive_definite", [[1, 2], [2, 1]], "least eigenvalue is -1"),
            ("positive_definite", [[1, 2], [0, 1]], "entries (1, 2) and (2, 1) differ"),
            ("corr_matrix", [[2, 0], [0, 1]], "diagonal"),
            ("lower_cholesky", [[1, 1], [0, 1]], "above the diagonal"),
            ("corr_cholesky", [[1, 0], [1, 1]], "rows"),
        ],
    )
    def test_forms(self, form, value, words):
        spec = program({}, A={"dims": np.shape(value), "form": form})
        fault = one(spec, {"A": value})
        assert fault.startswith("PPL093")
        assert words in fault

    def test_float32_overflow(self):
        import torch

        assert "too large for float32" in one(program({}, a={}), {"a": 1e300}, dtype=torch.float32)


class TestSizes:
    def test_disagreement_names_who_says_what(self):
        spec = program({"obs": None}, y={"dims": ("obs",)}, x={"dims": ("obs",)})
        fault = one(spec, [{"y": [1, 2]}, pd.DataFrame({"x": [1.0]})])
        assert fault.startswith(
            "PPL095 dim 'obs' has several sizes: 2 in 'y' in the data; 1 in 'x' in the data frame"
        )

    def test_spec_and_options(self):
        spec = program({"k": 3}, w={"dims": ("k",)})
        assert "3 in the spec; 2 in 'w'" in one(spec, {"w": [1, 2]})
        assert "3 in the spec; 4 as set" in one(program({"k": 3}), None, sizes={"k": 4})
        assert "is 0" in faults(program({"k": None}), None, sizes={"k": 0})[0]
        assert "did you mean 'school'?" in one(program({"school": 2}), None, sizes={"schol": 2})

    def test_nothing_tells(self):
        assert one(program({"k": None}), None).startswith("PPL029")

    def test_a_faulty_variable_s_dim_is_not_told_twice(self):
        assert one(Y, {"z": 1}).startswith("PPL091")

    def test_fixed_axis(self):
        spec = program({}, a={"dims": (3,)})
        assert "2 entries where 3 are declared" in one(spec, {"a": [1, 2]})


class TestIndex:
    def spec(self, base=0, size=None):
        return program(
            {"obs": None, "county": size},
            g={"element": "index", "index_of": "county", "dims": ("obs",), "base": base},
        )

    def test_out_of_range(self):
        assert one(self.spec(1, 2), {"g": [1, 3, 4]}) == (
            "PPL096 the data, entry 'g', row 2 is 3 (and 1 more); 'county' has 2 entries, "
            "counted from 1 to 2 (correct the index, or the size of 'county')"
        )

    def test_the_wrong_base_is_recognised(self):
        assert "write index(county, base = 1)" in one(self.spec(0, 2), {"g": [1, 2]})
        assert "write index(county, base = 1)" in one(self.spec(0), {"g": [1, 2]})
        assert "write index(county))" in one(self.spec(1, 2), {"g": [0, 1]})

    def test_gaps_fractions_and_mixtures(self, tmp_path):
        assert one(self.spec(), {"g": ["a", None]}).startswith("PPL094")
        assert one(self.spec(), {"g": [0, 1.5]}).startswith("PPL092")
        assert "not both" in one(self.spec(), {"g": ["a", 1]})
        (tmp_path / "d.csv").write_text("g\n1\n2\n1O\n")
        fault = one(self.spec(), tmp_path / "d.csv")
        assert "row 3 (line 4) is '1O' in a column of numbers" in fault

    def test_unknown_label(self):
        data = {"g": ["AITKIN", "WADNA"], "county": ["AITKIN", "WADENA"]}
        assert "did you mean 'WADENA'?" in one(self.spec(), data)

    def test_unlabelled_data_beside_labels(self):
        spec = program(
            {"obs": None, "county": None},
            g={"element": "index", "index_of": "county", "dims": ("obs",)},
            u={"dims": ("county",)},
        )
        fault = one(spec, {"g": ["b", "a"], "u": [1, 2]})
        assert fault.startswith("PPL095 'u' in the data does not say which entry belongs to")
        assert "as a column 'county'" in fault
        frames = [
            {"g": ["b"]},
            pd.DataFrame({"county": ["a", "b"], "u": [1, 2]}),
        ]
        assert bound(spec, frames).values["g"].tolist() == [1]

    def test_labels_that_differ(self):
        spec = program({"c": None}, u={"dims": ("c",)}, v={"dims": ("c",)})
        one_, two = ({"c": ["a", "b"], "u": [1, 2]}, {"c": ["a", "x"], "v": [1, 2]})
        fault = one(spec, [pd.DataFrame(one_), pd.DataFrame(two)])
        assert "has 'x', which is not elsewhere and lacks 'b'" in fault

    def test_mapped_labels_must_be_distinct(self):
        fault = one(Y, {"y": [1, 2], "name": ["a", "a"]}, mapping={"name": "obs"})
        assert "cannot label 'obs'" in fault


def test_all_faults_in_one_run():
    spec = program(
        {"obs": None},
        y={"dims": ("obs",)},
        x={"dims": ("obs",)},
        z={"dims": ("obs",), "lower": 0.0},
        w={"dims": ("obs",)},
    )
    found = faults(spec, {"y": [1, None, "a"], "x": [1, 2], "z": [1, 2, -3]})
    codes = re.findall(r"PPL\d+", " ".join(found))
    assert sorted(codes) == ["PPL091", "PPL092", "PPL093", "PPL094", "PPL095"]


def test_a_number_of_a_dims_name_that_the_data_contradict():
    message = one(program({"n": None}, y={"dims": ("n",)}), {"y": [1.0, 2.0], "n": 3})
    assert message.startswith("PPL095")
    assert "2 in" in message
    assert "3 by the number 'n'" in message
