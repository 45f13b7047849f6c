"""The benchmark's models have the densities that their formulas say, in Pyro and in NumPyro."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from benchmarks.engine.agreement import numpyro_density, pyro_density
from benchmarks.engine.data import make, point
from benchmarks.engine.rows import ROWS, SWEEPS, Row

Arrays = dict[str, Any]

EVERY = {row.model: row for row in ROWS}
DENSITIES = {
    "pyro": pyro_density,
    "numpyro": pytest.param(
        numpyro_density,
        marks=pytest.mark.skipif(
            importlib.util.find_spec("numpyro") is None, reason="NumPyro is not installed"
        ),
    ),
}


def eight_schools(d: Arrays, v: Arrays) -> float:
    return (
        stats.norm.logpdf(v["mu"], 0, 5)
        + stats.halfcauchy.logpdf(v["tau"], scale=5)
        + stats.norm.logpdf(v["theta"], v["mu"], v["tau"]).sum()
        + stats.norm.logpdf(d["y"], v["theta"], d["sigma"]).sum()
    )


def radon(d: Arrays, v: Arrays) -> float:
    means = v["alpha"][d["county"]] + v["slope"] * d["floor"]
    return (
        stats.norm.logpdf([v["mu"], v["slope"]], 0, 10).sum()
        + stats.halfnorm.logpdf([v["tau"], v["sigma"]]).sum()
        + stats.norm.logpdf(v["alpha"], v["mu"], v["tau"]).sum()
        + stats.norm.logpdf(d["y"], means, v["sigma"]).sum()
    )


def logistic(d: Arrays, v: Arrays) -> float:
    chance = expit(d["x"] @ v["weights"] + v["intercept"])
    return (
        stats.norm.logpdf(v["intercept"], 0, 5)
        + stats.norm.logpdf(v["weights"]).sum()
        + np.log(np.where(d["y"] == 1, chance, 1 - chance)).sum()
    )


def mixture(d: Arrays, v: Arrays) -> float:
    each = stats.norm.logpdf(d["y"][:, None], v["locs"], v["scales"])
    return (
        stats.dirichlet.logpdf(v["weights"], np.ones(3))
        + stats.norm.logpdf(v["locs"], [-2, 0, 2], 1).sum()
        + stats.lognorm.logpdf(v["scales"], 1).sum()
        + logsumexp(each, b=v["weights"], axis=1).sum()
    )


def gp(d: Arrays, v: Arrays) -> float:
    distance = (d["x"][:, None] - d["x"]) / v["length"]
    covariance = v["variance"] * np.exp(-(distance**2) / 2)
    covariance += (v["noise"] + 1e-4) * np.eye(len(d["x"]))
    return (
        stats.lognorm.logpdf([v["variance"], v["length"]], 1).sum()
        + stats.lognorm.logpdf(v["noise"], 1, scale=np.exp(-1))
        + stats.multivariate_normal.logpdf(d["y"], cov=covariance)
    )


def poisson(d: Arrays, v: Arrays) -> float:
    return (
        stats.norm.logpdf(v["mu"], 0, 2)
        + stats.halfnorm.logpdf(v["tau"])
        + stats.norm.logpdf(v["z"]).sum()
        + stats.poisson.logpmf(d["y"], np.exp(v["mu"] + v["tau"] * v["z"])).sum()
    )


FORMULAS = (eight_schools, radon, logistic, mixture, gp, poisson)


@pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)
@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
def test_density(formula: Callable[[Arrays, Arrays], float], density: Any) -> None:
    row = EVERY[formula.__name__].quick()
    data = make(row, "float64")
    values = point(row, data)
    assert density(row, data, values) == pytest.approx(formula(data, values), rel=1e-9)


def test_every_model_has_a_formula() -> None:
    rows: list[Row] = [*ROWS, *(row for rows in SWEEPS.values() for row in rows)]
    assert {row.model for row in rows} == {formula.__name__ for formula in FORMULAS}
