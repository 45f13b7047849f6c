"""Summaries: labels, numbers and discrete sites."""

from __future__ import annotations

import numpy as np
import xarray as xr

from compiler.run.summary import discrete_frame, entry_labels, scalars_first, summary_frame

DRAWS = np.linspace(0, 1, 101)
POSTERIOR = xr.Dataset(
    {
        "theta": (("chain", "draw", "school"), np.stack([DRAWS, 2 * DRAWS], -1)[None]),
        "mu": (("chain", "draw"), DRAWS[None]),
        "one": (("chain", "draw"), np.full((1, 101), 0.1)),
        "z": (("chain", "draw", "i"), np.array([[[0, 2]] * 60 + [[1, 2]] * 41])),
    },
    coords={"school": ["Choate", "St. Paul's"]},
)


def test_labels():
    assert entry_labels(POSTERIOR["mu"]) == ["mu"]
    assert entry_labels(POSTERIOR["theta"]) == ["theta[Choate]", "theta[St. Paul's]"]
    assert entry_labels(POSTERIOR["z"]) == ["z[0]", "z[1]"]


def test_numbers():
    frame = summary_frame(POSTERIOR, ["theta", "mu", "one"])
    assert list(frame.columns) == ["mean", "sd", "5%", "50%", "95%"]
    assert np.allclose(frame.loc["theta[St. Paul's]"], [1, 2 * DRAWS.std(ddof=1), 0.1, 1, 1.9])
    assert frame.loc["one", "sd"] == 0


def test_discrete():
    frame = discrete_frame(POSTERIOR, ["z"])
    assert frame["mode"].tolist() == [0, 2]
    assert np.allclose(frame["probability"], [60 / 101, 1])
    assert frame.loc["z[0]", "all"] == "0: 0.59, 1: 0.41"


def test_order():
    assert scalars_first(POSTERIOR, ["theta", "mu", "one"]) == ["mu", "one", "theta"]
