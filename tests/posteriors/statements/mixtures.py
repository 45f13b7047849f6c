"""Mixtures and latent classes, summed out."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from statements.statement import Statement, Values


def low_dim_gauss_mix(d: Values, v: Values) -> Any:
    low, high = (stats.norm.pdf(d["y"], v["mu"][k], v["sigma"][k]) for k in (0, 1))
    return (
        stats.norm.logpdf(v["mu"], 0, 2).sum()
        + stats.norm.logpdf(v["sigma"], 0, 2).sum()
        + stats.beta.logpdf(v["theta"], 5, 5)
        + np.log(v["theta"] * low + (1 - v["theta"]) * high).sum()
    )


def m0(d: Values, v: Values) -> Any:
    seen, trials = d["y"].sum(1), d["y"].shape[1]
    there = v["omega"] * v["p"] ** seen * (1 - v["p"]) ** (trials - seen)
    return np.log(there + (seen == 0) * (1 - v["omega"])).sum()


def lda(d: Values, v: Values) -> Any:
    priors = [
        ((weights - 1) * np.log(rows)).sum()
        for weights, rows in ((d["alpha"], v["theta"]), (d["beta"], v["phi"]))
    ]
    tokens = (v["theta"][d["doc"] - 1] * v["phi"][:, d["w"] - 1].T).sum(1)
    return sum(priors) + np.log(tokens).sum()


MIXTURES = {
    "low_dim_gauss_mix-low_dim_gauss_mix": Statement(("mu", "sigma", "theta"), low_dim_gauss_mix),
    "M0_data-M0_model": Statement(("omega", "p"), m0),
    "prideprejudice_chapter-ldaK5": Statement(("theta", "phi"), lda),
}
