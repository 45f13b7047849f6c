"""Binary outcomes and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from scipy.special import expit

from statements.statement import Statement, Values


def wells_dist(d: Values, v: Values) -> Any:
    rate = expit(v["beta"][0] + v["beta"][1] * d["dist"])
    return stats.bernoulli.logpmf(d["switched"], rate).sum()


def glm_poisson(d: Values, v: Values) -> Any:
    year = d["year"]
    line = v["alpha"] + v["beta1"] * year + v["beta2"] * year**2 + v["beta3"] * year**3
    return stats.poisson.logpmf(d["C"], np.exp(line)).sum()


def dogs(d: Values, v: Values) -> Any:
    found = stats.norm.logpdf(v["beta"], 0, 100).sum()
    for y in d["y"]:
        for trial, outcome in enumerate(y):
            shocks = y[:trial].sum()
            avoided = trial - shocks
            rate = expit(v["beta"] @ [1, avoided, shocks])
            found += np.log(rate if outcome else 1 - rate)
    return found


def rate_2(d: Values, v: Values) -> Any:
    first = stats.binom.logpmf(d["k1"], d["n1"], v["theta1"])
    return first + stats.binom.logpmf(d["k2"], d["n2"], v["theta2"])


COUNTS = {
    "wells_data-wells_dist": Statement(("beta",), wells_dist),
    "GLM_Poisson_Data-GLM_Poisson_model": Statement(
        ("alpha", "beta1", "beta2", "beta3"), glm_poisson
    ),
    "dogs-dogs": Statement(("beta",), dogs),
    "Rate_2_data-Rate_2_model": Statement(("theta1", "theta2"), rate_2),
}
