"""The data of each model, and a point in its latent space, from fixed seeds."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.engine.rows import Row

Arrays = dict[str, npt.NDArray[Any]]

_RADON_TABLE = Path(__file__).resolve().parents[2] / "examples" / "radon" / "radon.csv"


def make(row: Row, dtype: str) -> Arrays:
    """The data of a row, in the order of its model's arguments.

    Args:
        row: The row.
        dtype: ``float32`` or ``float64``; whole numbers that index stay int64.
    """
    return _MAKERS[row.model](np.random.default_rng(0), np.dtype(dtype), **row.sizes)


def point(row: Row, data: Arrays) -> Arrays:
    """Values in the support of every latent site of a row's model, float64."""
    return _POINTS[row.model](np.random.default_rng(1), data)


def save(folder: Path, data: Arrays) -> None:
    """Write the arrays of a row, one file each."""
    for name, array in data.items():
        np.save(folder / f"{name}.npy", array)


def load(folder: Path, row: Row) -> Arrays:
    """Read what :func:`save` wrote."""
    return {name: np.load(folder / f"{name}.npy") for name in _NAMES[row.model]}


def _eight_schools(rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
    return {
        "y": np.array([28, 8, -3, 7, -1, 1, 18, 12], dtype),
        "sigma": np.array([15, 10, 16, 11, 9, 11, 10, 18], dtype),
    }


def _radon(rng: np.random.Generator, dtype: np.dtype[Any]) -> Arrays:
    with _RADON_TABLE.open(encoding="utf-8") as file:
        houses = list(csv.DictReader(file))
    counties = {name: index for index, name in enumerate(sorted({h["county"] for h in houses}))}
    return {
        "county": np.array([counties[h["county"]] for h in houses], np.int64),
        "floor": np.array([h["floor"] for h in houses], dtype),
        "y": np.array([h["log_radon"] for h in houses], dtype),
    }


def _logistic(rng: np.random.Generator, dtype: np.dtype[Any], n: int, p: int) -> Arrays:
    x = rng.standard_normal((n, p), dtype=dtype)
    weights = rng.standard_normal(p, dtype=dtype) / np.sqrt(p).astype(dtype)
    chance = 1 / (1 + np.exp(-(x @ weights + 0.5)))
    return {"x": x, "y": (rng.random(n) < chance).astype(dtype)}


def _mixture(rng: np.random.Generator, dtype: np.dtype[Any], n: int) -> Arrays:
    component = rng.choice(3, size=n, p=[0.3, 0.5, 0.2])
    loc, scale = np.array([-2.0, 0.5, 3.0]), np.array([0.5, 0.8, 0.4])
    return {"y": rng.normal(loc[component], scale[component]).astype(dtype)}


def _gp(rng: np.random.Generator, dtype: np.dtype[Any], n: int) -> Arrays:
    x = np.sort(rng.uniform(0, 10, n))
    return {"x": x.astype(dtype), "y": (np.sin(x) + rng.normal(0, 0.3, n)).astype(dtype)}


def _poisson(rng: np.random.Generator, dtype: np.dtype[Any], n: int) -> Arrays:
    return {"y": rng.poisson(np.exp(rng.normal(0.5, 0.7, n))).astype(dtype)}


_MAKERS: dict[str, Callable[..., Arrays]] = {
    "eight_schools": _eight_schools,
    "radon": _radon,
    "logistic": _logistic,
    "mixture": _mixture,
    "gp": _gp,
    "poisson": _poisson,
}

_NAMES = {
    "eight_schools": ("y", "sigma"),
    "radon": ("county", "floor", "y"),
    "logistic": ("x", "y"),
    "mixture": ("y",),
    "gp": ("x", "y"),
    "poisson": ("y",),
}

_POINTS: dict[str, Callable[[np.random.Generator, Arrays], Arrays]] = {
    "eight_schools": lambda rng, data: {
        "mu": np.array(3.0),
        "tau": np.array(4.0),
        "theta": rng.normal(3.0, 4.0, len(data["y"])),
    },
    "radon": lambda rng, data: {
        "mu": np.array(1.2),
        "tau": np.array(0.4),
        "slope": np.array(-0.7),
        "sigma": np.array(0.8),
        "alpha": rng.normal(1.2, 0.4, int(data["county"].max()) + 1),
    },
    "logistic": lambda rng, data: {
        "intercept": np.array(0.3),
        "weights": rng.normal(0.0, 0.3, int(data["x"].shape[1])),
    },
    "mixture": lambda rng, data: {
        "weights": np.array([0.2, 0.5, 0.3]),
        "locs": np.array([-1.0, 0.2, 2.5]),
        "scales": np.array([0.6, 1.1, 0.5]),
    },
    "gp": lambda rng, data: {
        "variance": np.array(0.9),
        "length": np.array(1.4),
        "noise": np.array(0.2),
    },
    "poisson": lambda rng, data: {
        "mu": np.array(0.4),
        "tau": np.array(0.6),
        "z": rng.normal(0.0, 1.0, len(data["y"])),
    },
}
