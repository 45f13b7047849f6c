"""Hierarchies, stated with the effects themselves as parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from scipy.special import expit

from statements.statement import Statement, Values


def eight_schools(d: Values, v: Values) -> Any:
    return (
        stats.norm.logpdf(v["mu"], 0, 5)
        + stats.cauchy.logpdf(v["tau"], 0, 5)
        + stats.norm.logpdf(v["theta"], v["mu"], v["tau"]).sum()
        + stats.norm.logpdf(d["y"], v["theta"], d["sigma"]).sum()
    )


def radon(d: Values, v: Values) -> Any:
    line = (
        v["alpha"][d["county_idx"] - 1]
        + np.column_stack([d["log_uppm"], d["floor_measure"]]) @ v["beta"]
    )
    return (
        stats.norm.logpdf([v["sigma_alpha"], v["sigma_y"]]).sum()
        + stats.norm.logpdf([v["mu_alpha"], *v["beta"]], 0, 10).sum()
        + stats.norm.logpdf(v["alpha"], v["mu_alpha"], v["sigma_alpha"]).sum()
        + stats.norm.logpdf(d["log_radon"], line, v["sigma_y"]).sum()
    )


def surgical(d: Values, v: Values) -> Any:
    return (
        stats.norm.logpdf(v["mu"], 0, 1000)
        + stats.invgamma.logpdf(v["sigmasq"], 0.001, scale=0.001)
        + stats.norm.logpdf(v["b"], v["mu"], np.sqrt(v["sigmasq"])).sum()
        + stats.binom.logpmf(d["r"], d["n"], expit(v["b"])).sum()
    )


def rats(d: Values, v: Values) -> Any:
    rat = d["rat"] - 1
    line = v["alpha"][rat] + v["beta"][rat] * (d["x"] - d["xbar"])
    return (
        stats.norm.logpdf([v["mu_alpha"], v["mu_beta"]], 0, 100).sum()
        + stats.norm.logpdf(v["alpha"], v["mu_alpha"], v["sigma_alpha"]).sum()
        + stats.norm.logpdf(v["beta"], v["mu_beta"], v["sigma_beta"]).sum()
        + stats.norm.logpdf(d["y"], line, v["sigma_y"]).sum()
    )


_RADON = Statement(("mu_alpha", "sigma_alpha", "sigma_y", "beta", "alpha"), radon)

HIERARCHIES = {
    "eight_schools-eight_schools_noncentered": Statement(("mu", "tau", "theta"), eight_schools),
    "radon_mn-radon_hierarchical_intercept_noncentered": _RADON,
    "radon_all-radon_hierarchical_intercept_noncentered": _RADON,
    "surgical_data-surgical_model": Statement(("mu", "sigmasq", "b"), surgical),
    "rats_data-rats_model": Statement(
        ("mu_alpha", "mu_beta", "sigma_y", "sigma_alpha", "sigma_beta", "alpha", "beta"), rats
    ),
}
