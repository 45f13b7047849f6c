"""Whatever is given as data either binds or is refused with diagnostics."""

from __future__ import annotations

import contextlib
import json

import pandas as pd
import pytest
from binding_helpers import bound, program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.diagnostics import SpecError

SPEC = program(
    {"obs": None, "group": None, "k": 2},
    y={"dims": ("obs",), "lower": 0.0},
    g={"dims": ("obs",), "element": "index", "index_of": "group"},
    w={"dims": ("k",), "form": "simplex"},
    X={"dims": ("obs", "k")},
    n={"element": "int"},
    u={"dims": ("group",)},
)
NAMES = ["y", "g", "w", "X", "n", "u", "obs", "group", "k", "X_1", "X_2", "z"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUIET
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8))
def test_any_object(data):
    with contextlib.suppress(SpecError):
        bound(SPEC, data)


@QUIET
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8))
def test_any_json(tmp_path, data):
    path = tmp_path / "data.json"
    path.write_text(json.dumps(data))
    with contextlib.suppress(SpecError):
        bound(SPEC, path)


@QUIET
@given(st.binary(max_size=60), st.sampled_from(["csv", "json", "parquet", "npz", "dat"]))
def test_any_bytes(tmp_path, content, suffix):
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(SpecError):
        bound(SPEC, path)


@QUIET
@given(st.text("yguXnw_12,;\n\"'. -ae\t|", max_size=60))
def test_any_table(tmp_path, content):
    path = tmp_path / "data.csv"
    path.write_text(f"y,g,X_1,X_2\n1,a,0,1\n{content}")
    with contextlib.suppress(SpecError):
        bound(SPEC, [path, {"w": [0.5, 0.5], "n": 3}])


@pytest.mark.parametrize(
    "dtype", ["Int64", "boolean", "string", "datetime64[ns]", "timedelta64[ns]"]
)
def test_any_column_of_pandas(dtype):
    frame = pd.DataFrame({name: pd.array([None, None], dtype=dtype) for name in NAMES})
    with pytest.raises(SpecError):
        bound(SPEC, frame)
